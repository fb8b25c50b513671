import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { dockerArchive, type ArchiveImage } from './docker-archive.ts';
import { imageConfig, imageLabels, type ImageSource } from './image-config.ts';
import { tarArchive, type TarEntry } from './tar-archive.ts';

const source: ImageSource = {
  version: '0.1.0',
  revision: '0123456789abcdef0123456789abcdef01234567',
  created: 1_800_000_000,
  parts: { libc6: '2.36-9+deb12u14', bun: '1.4.5' },
};
const files: readonly TarEntry[] = [{ type: 'file', path: 'canal', mode: 0o755, content: new Uint8Array([1, 2, 3]) }];
const image = (from = source): ArchiveImage => ({
  name: 'docker.io/canalcni/canal:0.1.0',
  layers: [files],
  config: ([diffId = '']) => imageConfig('amd64', diffId, from),
});

/** Entries of an archive of short names, by a reader that knows nothing of the writer. */
function read(chunks: readonly Uint8Array[]): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.concat(chunks);
  const files = new Map<string, Buffer>();
  for (let at = 0; bytes[at] !== 0;) {
    const name = bytes.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(bytes.toString('ascii', at + 124, at + 135), 8);
    files.set(name, bytes.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('manifest.json names configuration and layer, each by its own digest', () => {
  const archive = dockerArchive([image()]);
  const stored = read(archive.chunks);
  const text = stored.get('manifest.json')?.toString() ?? '';
  const [manifest] = JSON.parse(text) as [{ Config: string; RepoTags: string[]; Layers: [string] }];
  expect(manifest.RepoTags).toEqual([image().name]);
  const [config, layer] = [stored.get(manifest.Config), stored.get(manifest.Layers[0])];
  expect([...stored.keys()].sort()).toEqual([manifest.Config, manifest.Layers[0], 'manifest.json'].sort());
  expect(`${sha256(config ?? Buffer.of())}.json`).toBe(manifest.Config);
  expect(`${sha256(layer ?? Buffer.of())}.tar`).toBe(manifest.Layers[0]);
  const diffId = `sha256:${sha256(Buffer.concat(tarArchive(files)))}`;
  expect(archive.images).toEqual([{ imageId: `sha256:${manifest.Config.replace('.json', '')}`, diffIds: [diffId] }]);
  expect(archive.digest).toBe(`sha256:${sha256(Buffer.concat(archive.chunks))}`);
  expect(archive.size).toBe(Buffer.concat(archive.chunks).length);
  const { rootfs } = JSON.parse(config?.toString() ?? '') as { rootfs: { diff_ids: string[] } };
  expect(rootfs.diff_ids).toEqual([diffId]);
});

test('the same input gives the same digest, another commit another one, and the layer stays', () => {
  const first = dockerArchive([image()]);
  expect(dockerArchive([image({ ...source })]).digest).toBe(first.digest);
  const next = dockerArchive([image({ ...source, revision: 'f'.repeat(40) })]);
  expect(next.digest).not.toBe(first.digest);
  expect(next.images[0]?.diffIds).toEqual(first.images[0]?.diffIds);
});

test('several images: each has its configuration, and a layer of the same content is stored once', () => {
  const own: TarEntry = { type: 'directory', path: 'own', mode: 0o755 };
  const second: ArchiveImage = {
    name: 'registry.k8s.io/second:1',
    layers: [structuredClone(files), [own]],
    config: (diffIds) => ({ rootfs: { type: 'layers', diff_ids: diffIds } }),
  };
  const archive = dockerArchive([image(), second]);
  const stored = read(archive.chunks);
  const manifest = JSON.parse(stored.get('manifest.json')?.toString() ?? '') as {
    RepoTags: string[];
    Layers: string[];
  }[];
  expect(manifest.map(({ RepoTags }) => RepoTags)).toEqual([[image().name], [second.name]]);
  expect(manifest[1]?.Layers).toHaveLength(2);
  expect(manifest[1]?.Layers[0]).toBe(manifest[0]?.Layers[0]);
  expect([...stored.keys()].filter((path) => path.endsWith('.tar'))).toHaveLength(2);
  expect(archive.images[1]?.diffIds).toEqual(manifest[1]?.Layers.map((path) => `sha256:${path.replace('.tar', '')}`));
});

test('the configuration: a user who is not root, and what starts', () => {
  expect(imageConfig('arm64', 'sha256:00', source)).toMatchObject({
    created: '2027-01-15T08:00:00.000Z',
    architecture: 'arm64',
    os: 'linux',
    config: { User: '65532:65532', Entrypoint: ['/usr/local/bin/canal'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: ['sha256:00'] },
  });
});

test('the labels name version, commit, licences, source and the parts', () => {
  expect(imageLabels(source)).toEqual({
    'io.canalcni.part.bun': '1.4.5',
    'io.canalcni.part.libc6': '2.36-9+deb12u14',
    'org.opencontainers.image.description': "A Kubernetes CNI: flannel's dataplane and Calico's policy in one binary",
    'org.opencontainers.image.licenses': 'Apache-2.0 AND MIT AND LGPL-2.1-or-later AND MPL-2.0',
    'org.opencontainers.image.revision': source.revision,
    'org.opencontainers.image.source': 'https://github.com/canalcni/canal',
    'org.opencontainers.image.title': 'canal',
    'org.opencontainers.image.version': '0.1.0',
  });
  const { revision: _, ...outsideOfAClone } = source;
  expect(imageLabels(outsideOfAClone)).not.toHaveProperty('org.opencontainers.image.revision');
});
