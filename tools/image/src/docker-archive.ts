/**
 * The archive that `docker load`, `ctr images import` and `kind load image-archive` take ("docker save" format): the
 * configuration and the layer, each named by its digest, and manifest.json. The layer is not compressed: a compressor's
 * bytes change with its version, the image's digest must not.
 */
import { createHash } from 'node:crypto';
import { imageConfig, type ImageSource } from './image-config.ts';
import { tarArchive, type TarEntry } from './tar-archive.ts';
import type { Architecture } from './variant.ts';

export interface DockerArchive {
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
  /** "sha256:…" of the whole archive. */
  readonly digest: string;
  /** "sha256:…" of the configuration: the image's id, the same wherever and however compressed it is kept. */
  readonly imageId: string;
  /** "sha256:…" of the uncompressed layer. */
  readonly diffId: string;
}

export interface DockerArchiveInput {
  readonly architecture: Architecture;
  /** "docker.io/canalcni/canal:0.1.0" */
  readonly name: string;
  readonly source: ImageSource;
  readonly files: readonly TarEntry[];
}

export function dockerArchive({ architecture, name, source, files }: DockerArchiveInput): DockerArchive {
  const layer = tarArchive(files);
  const layerHash = sha256(layer);
  const config = encodeJson(imageConfig(architecture, `sha256:${layerHash}`, source));
  const configHash = sha256([config]);
  const manifest = [{ Config: `${configHash}.json`, RepoTags: [name], Layers: [`${layerHash}.tar`] }];
  const chunks = tarArchive([
    { type: 'file', path: `${configHash}.json`, mode: 0o644, content: config },
    { type: 'file', path: `${layerHash}.tar`, mode: 0o644, content: concatenate(layer) },
    { type: 'file', path: 'manifest.json', mode: 0o644, content: encodeJson(manifest) },
  ]);
  return {
    chunks,
    size: lengthOf(chunks),
    digest: `sha256:${sha256(chunks)}`,
    imageId: `sha256:${configHash}`,
    diffId: `sha256:${layerHash}`,
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
