/**
 * The archive that `docker load`, `ctr images import` and `kind load image-archive` take ("docker save" format): the
 * configurations and the layers, each named by its digest, and manifest.json. The layers are not compressed: a
 * compressor's bytes change with its version, the image's digest must not.
 */
import { createHash } from 'node:crypto';
import { tarArchive, type TarEntry } from './tar-archive.ts';

export interface ArchiveImage {
  /** Full name with tag, exactly as pods ask for it: "docker.io/canalcni/canal:0.1.0". */
  readonly name: string;
  /** Layers of the same content are stored once. */
  readonly layers: readonly (readonly TarEntry[])[];
  /** The configuration (OCI image-spec, config.md), given the "sha256:…" of each uncompressed layer. */
  readonly config: (diffIds: readonly string[]) => object;
}

export interface DockerArchive {
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
  /** "sha256:…" of the whole archive. */
  readonly digest: string;
  /** In the order given. */
  readonly images: readonly {
    /** "sha256:…" of the configuration: the image's id, the same wherever and however compressed it is kept. */
    readonly imageId: string;
    /** "sha256:…" of the uncompressed layers. */
    readonly diffIds: readonly string[];
  }[];
}

export function dockerArchive(images: readonly ArchiveImage[]): DockerArchive {
  const files = new Map<string, TarEntry>();
  const add = (content: Uint8Array, suffix: string): string => {
    const digest = sha256([content]);
    const path = `${digest}${suffix}`;
    files.set(path, { type: 'file', path, mode: 0o644, content });
    return digest;
  };
  const parts = images.map(({ name, layers, config }) => {
    const digests = layers.map((layer) => add(concatenate(tarArchive(layer)), '.tar'));
    const diffIds = digests.map((digest) => `sha256:${digest}`);
    return { name, digests, diffIds, id: add(encodeJson(config(diffIds)), '.json') };
  });
  const manifest = parts.map(({ name, digests, id }) => ({
    Config: `${id}.json`,
    RepoTags: [name],
    Layers: digests.map((digest) => `${digest}.tar`),
  }));
  const chunks = tarArchive([
    ...files.values(),
    { type: 'file', path: 'manifest.json', mode: 0o644, content: encodeJson(manifest) },
  ]);
  return {
    chunks,
    size: lengthOf(chunks),
    digest: `sha256:${sha256(chunks)}`,
    images: parts.map(({ id, diffIds }) => ({ imageId: `sha256:${id}`, diffIds })),
  };
}

function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function sha256(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((total, chunk) => total + chunk.length, 0);
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(lengthOf(chunks));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
