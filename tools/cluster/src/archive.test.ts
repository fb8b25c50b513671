import { describe, expect, test } from 'vitest';

import type { ArchiveFile } from './archive.ts';
import { dockerArchive, tar } from './archive.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Names, modes, types and contents of an archive, by the fields of POSIX ustar. */
function untar(archive: Uint8Array): { path: string; mode: string; type: string; content: string }[] {
  const bytes = Buffer.from(archive);
  const field = (at: number, length: number): string =>
    bytes.toString('latin1', at, at + length).replace(/[\0 ]+$/, '');
  const files = [];
  for (let at = 0; bytes[at] !== 0;) {
    const size = parseInt(field(at + 124, 12), 8);
    const sum = bytes.subarray(at, at + 512).reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    expect(parseInt(field(at + 148, 8), 8)).toBe(sum);
    expect(field(at + 257, 5)).toBe('ustar');
    files.push({
      path: field(at, 100),
      mode: field(at + 100, 8),
      type: field(at + 156, 1),
      content: bytes.toString('utf8', at + 512, at + 512 + size),
    });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

describe('tar', () => {
  test('files and folders with their modes, contents padded to blocks, two empty blocks at the end', () => {
    const archive = tar([
      { path: 'tmp/', mode: 0o1777 },
      { path: 'pause', mode: 0o755, content: text('x'.repeat(513)) },
    ]);
    expect(archive.length).toBe(512 + 512 + 1024 + 1024);
    expect(untar(archive)).toEqual([
      { path: 'tmp/', mode: '0001777', type: '5', content: '' },
      { path: 'pause', mode: '0000755', type: '0', content: 'x'.repeat(513) },
    ]);
  });

  test('a path that does not fit the header is refused', () => {
    expect(() => tar([{ path: 'x'.repeat(101), mode: 0o644 }])).toThrow(/longer than 100 bytes/);
  });
});

describe('dockerArchive', () => {
  const shared: ArchiveFile[] = [{ path: 'base', mode: 0o644, content: text('base') }];
  const images = ['one', 'two'].map((name) => ({
    tag: `registry.k8s.io/${name}:1`,
    layers: [shared, [{ path: name, mode: 0o755, content: text(name) }]],
    entrypoint: [`/${name}`],
    architecture: 'amd64' as const,
  }));

  test('the same input gives the same bytes', () => {
    expect(dockerArchive(images)).toEqual(dockerArchive(images));
  });

  test('every image names its config and layers by their content, and a shared layer is stored once', () => {
    const files = new Map(untar(dockerArchive(images)).map((file) => [file.path, file.content]));
    const manifest = JSON.parse(files.get('manifest.json') ?? '') as {
      Config: string;
      RepoTags: string[];
      Layers: string[];
    }[];
    expect(manifest.map(({ RepoTags }) => RepoTags)).toEqual([['registry.k8s.io/one:1'], ['registry.k8s.io/two:1']]);
    expect(manifest[0]?.Layers[0]).toBe(manifest[1]?.Layers[0]);
    expect([...files.keys()].filter((path) => path.endsWith('.tar'))).toHaveLength(3);
    for (const { Config, Layers } of manifest) {
      const config = JSON.parse(files.get(Config) ?? '') as { rootfs: { diff_ids: string[] } };
      expect(config.rootfs.diff_ids.map((id) => id.replace('sha256:', '') + '.tar')).toEqual(Layers);
      for (const layer of Layers) expect(files.has(layer)).toBe(true);
    }
  });
});
