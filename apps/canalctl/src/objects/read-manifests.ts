import { createReadStream } from 'node:fs';
import { UsageError } from '../report-error.ts';
import { type Manifest, parseManifests } from './manifest.ts';

const HINT = 'give -f a file of YAML or JSON with objects of Kubernetes, or - for standard input';
/** Of a cluster with some ten thousand pods. */
const MAX_BYTES = 256 * 1024 * 1024;

/** The objects of a file, one or more; `-` is standard input. Throws UsageError. */
export async function readManifests(filename: string, signal: AbortSignal): Promise<readonly Manifest[]> {
  const bytes = await read(filename, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof UsageError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${filename} cannot be read: ${why}`, HINT);
  });
  const manifests = parseManifests(decode(bytes, filename), filename === '-' ? 'standard input' : filename);
  if (manifests.length === 0) throw new UsageError(`${filename} holds no object`, HINT);
  return manifests;
}

/** An interrupt is heard while nobody writes to a pipe, or even opens it: what is read then is left behind. */
async function read(filename: string, signal: AbortSignal): Promise<Uint8Array> {
  signal.throwIfAborted();
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([readAll(filename), interrupted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Piece by piece: a device is not read for ever. */
async function readAll(filename: string): Promise<Uint8Array> {
  const stream = filename === '-' ? process.stdin : createReadStream(filename);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of stream) {
    pieces.push(piece as Uint8Array);
    size += (piece as Uint8Array).length;
    if (size > MAX_BYTES) throw new UsageError(`${filename} is larger than ${MAX_BYTES >> 20} MiB`, HINT);
  }
  return Buffer.concat(pieces);
}

function decode(bytes: Uint8Array, filename: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${filename} is no text in UTF-8`, HINT);
  }
}
