/**
 * A docker-archive (the tar that `docker save` writes and `ctr images import`, `docker load` read) from files of the
 * machine: layers, one config per image, manifest.json. The same input gives the same bytes.
 */
import { createHash } from 'node:crypto';

export interface ArchiveFile {
  /** Path in the image, without leading slash; a folder ends with one. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly content?: Uint8Array;
}

export interface ArchiveImage {
  /** Full name with tag, exactly as pods ask for it. */
  readonly tag: string;
  readonly layers: readonly (readonly ArchiveFile[])[];
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
  readonly architecture: 'amd64' | 'arm64';
}

const BLOCK = 512;

export function dockerArchive(images: readonly ArchiveImage[]): Uint8Array {
  const files = new Map<string, ArchiveFile>();
  const layerOf = new Map<readonly ArchiveFile[], string>();
  const add = (suffix: string, content: Uint8Array): string => {
    const digest = createHash('sha256').update(content).digest('hex');
    const path = `${digest}${suffix}`;
    files.set(path, { path, mode: 0o644, content });
    return digest;
  };
  const manifest = images.map((image) => {
    const digests = image.layers.map((layer) => {
      const known = layerOf.get(layer) ?? add('.tar', tar(layer));
      layerOf.set(layer, known);
      return known;
    });
    const config = {
      architecture: image.architecture,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: { Entrypoint: image.entrypoint, Cmd: image.command ?? [], Env: ['PATH=/bin:/'], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: digests.map((digest) => `sha256:${digest}`) },
    };
    const digest = add('.json', new TextEncoder().encode(JSON.stringify(config)));
    return { Config: `${digest}.json`, RepoTags: [image.tag], Layers: digests.map((layer) => `${layer}.tar`) };
  });
  const index = { path: 'manifest.json', mode: 0o644, content: new TextEncoder().encode(JSON.stringify(manifest)) };
  return tar([...files.values(), index]);
}

/** A POSIX ustar archive: owner root, time 0. */
export function tar(files: readonly ArchiveFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const file of files) {
    const content = file.content ?? new Uint8Array();
    parts.push(header(file, content.length), content, new Uint8Array((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return Buffer.concat(parts);
}

function header({ path, mode }: ArchiveFile, size: number): Uint8Array {
  if (Buffer.byteLength(path) > 100) throw new RangeError(`path of an archive is longer than 100 bytes: ${path}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
  };
  block.write(path, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write(' '.repeat(8), 148, 'latin1');
  block.write(path.endsWith('/') ? '5' : '0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
