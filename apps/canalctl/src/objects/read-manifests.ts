import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../report-error.ts';
import { untilAborted } from '../until-aborted.ts';
import { type Manifest, parseManifests } from './manifest.ts';

const HINT =
  'give -f a file of YAML or JSON with objects of Kubernetes, a directory of such files, or - for standard input';
/** Of a cluster with some ten thousand pods. */
const MAX_BYTES = 256 * 1024 * 1024;

/** The objects of a file or of a directory's files, one or more; `-` is standard input. Throws UsageError. */
export async function readManifests(filename: string, signal: AbortSignal): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = [];
  // One by one: there may be more than a call takes arguments.
  for (const file of await readManifestFiles(filename, signal)) {
    for (const manifest of file.manifests) manifests.push(manifest);
  }
  return manifests;
}

export interface ManifestFile extends FileText {
  readonly manifests: readonly Manifest[];
}

/** The same, with the texts that they stand in. Throws UsageError. */
export async function readManifestFiles(filename: string, signal: AbortSignal): Promise<readonly ManifestFile[]> {
  const texts = await readTexts(filename, signal);
  const files = texts.map((text) => ({ ...text, manifests: parseManifests(text.text, text.name) }));
  if (files.every(({ manifests }) => manifests.length === 0)) throw new UsageError(`${filename} holds no object`, HINT);
  return files;
}

export interface FileText {
  readonly text: string;
  /** For messages. */
  readonly name: string;
}

/** As kubectl takes them of a directory: these alone, and of no directory inside. */
const MANIFEST_FILE = /\.(?:ya?ml|json)$/;

/** The text of a file, or of each file of a directory in the order of their names. Throws UsageError. */
export async function readTexts(filename: string, signal: AbortSignal): Promise<readonly FileText[]> {
  const isDirectory = filename !== '-' && statSync(filename, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isDirectory)
    return [{ text: await readText(filename, signal), name: filename === '-' ? 'standard input' : filename }];
  const files = orRefuse(filename, () => readdirSync(filename, { withFileTypes: true }))
    .filter((entry) => MANIFEST_FILE.test(entry.name) && !entry.isDirectory())
    .map((entry) => join(filename, entry.name))
    .sort();
  if (files.length === 0) throw new UsageError(`${filename} has no file *.yaml, *.yml or *.json`, HINT);
  const texts: FileText[] = [];
  for (const name of files) texts.push({ text: await readText(name, signal), name });
  return texts;
}

async function readText(filename: string, signal: AbortSignal): Promise<string> {
  // An interrupt is heard while nobody writes to a pipe, or even opens it.
  const bytes = await untilAborted(signal, readAll(filename)).catch((error: unknown) => {
    signal.throwIfAborted();
    throw refused(filename, error);
  });
  return decode(bytes, filename);
}

function orRefuse<T>(filename: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw refused(filename, error);
  }
}

function refused(filename: string, error: unknown): UsageError {
  if (error instanceof UsageError) return error;
  return new UsageError(`${filename} cannot be read: ${error instanceof Error ? error.message : String(error)}`, HINT);
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
