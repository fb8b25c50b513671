import { readFileSync } from 'node:fs';
import { UsageError } from '../report-error.ts';
import { type Manifest, parseManifests } from './manifest.ts';

const HINT = 'give -f a file of YAML or JSON with objects of Kubernetes, or - for standard input';

/** The objects of a file, one or more; `-` is standard input. Throws UsageError. */
export function readManifests(filename: string): readonly Manifest[] {
  const manifests = parseManifests(read(filename), filename === '-' ? 'standard input' : filename);
  if (manifests.length === 0) throw new UsageError(`${filename} holds no object`, HINT);
  return manifests;
}

function read(filename: string): string {
  try {
    return readFileSync(filename === '-' ? 0 : filename, 'utf8');
  } catch (error) {
    throw new UsageError(`${filename} cannot be read: ${error instanceof Error ? error.message : String(error)}`, HINT);
  }
}
