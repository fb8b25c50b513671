/**
 * Files that are old or new, never partial. The text goes into a temporary file beside the target and is renamed over
 * it: a reader, a SIGKILL or a full disk in between sees the old file. What is left of a killed writer is a file whose
 * name starts with TEMPORARY_PREFIX; removeTemporaryFiles() clears those. It ends in .tmp, because readers of a directory
 * go by extension: a container runtime would load half a configuration.
 */
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { errnoOf, ioError } from './node-state-error.ts';

export const TEMPORARY_PREFIX = '.canal-tmp-';

export interface AtomicWriteOptions {
  /** Permission bits of a new file. */
  readonly mode: number;
  /**
   * What the new content must outlive. `power-cut` syncs the file before the rename and its directory after it.
   * `process` does not: for state that is void after a reboot anyway (allocations, attachments), where a sync would
   * cost each pod more than all kernel work of its ADD.
   */
  readonly survives: 'process' | 'power-cut';
}

/** Replaces or creates the file. Throws NodeStateError `io` and leaves the old content when anything fails. */
export function writeFileAtomic(directory: string, name: string, text: string, options: AtomicWriteOptions): void {
  const target = `${directory}/${name}`;
  const temporary = `${directory}/${TEMPORARY_PREFIX}${process.pid}-${name.slice(0, 200)}.tmp`;
  try {
    writeWhole(temporary, text, options);
    renameSync(temporary, target);
    if (options.survives === 'power-cut') syncDirectory(directory);
  } catch (error) {
    removeIfPresent(temporary);
    throw ioError(target, 'write', error);
  }
}

function writeWhole(path: string, text: string, options: AtomicWriteOptions): void {
  const fd = openSync(path, 'w', options.mode);
  try {
    const bytes = new TextEncoder().encode(text);
    // A nearly full disk may take a part: write on until the kernel says ENOSPC or all is there.
    for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
    if (options.survives === 'power-cut') fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Deletes the file; true when it was there. Throws NodeStateError `io` for anything but its absence. */
export function removeIfPresent(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return false;
    throw ioError(path, 'delete', error);
  }
}

/** Clears what killed writers left; the caller holds the directory's lock, so no writer is at work. */
export function removeTemporaryFiles(directory: string, names: readonly string[] = readdirSync(directory)): void {
  for (const name of names) {
    if (name.startsWith(TEMPORARY_PREFIX)) removeIfPresent(`${directory}/${name}`);
  }
}
