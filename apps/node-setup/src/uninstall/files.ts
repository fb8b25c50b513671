/** File operations of the removal: what is gone already is no error, a mount point keeps its directory. */
import { lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TEMPORARY_PREFIX } from '@canal/node-state';

export function namesIn(directory: string): readonly string[] {
  return ifThere(() => readdirSync(directory)) ?? [];
}

export function textOf(path: string): string | undefined {
  return ifThere(() => readFileSync(path, 'utf8'));
}

export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function unlink(path: string): void {
  ifThere(() => unlinkSync(path));
}

/** Everything below a directory, and the directory unless something is mounted on it. */
export function removeTree(directory: string): void {
  for (const name of namesIn(directory)) rmSync(join(directory, name), { recursive: true, force: true });
  if (!isMountPoint(directory)) ifThere(() => rmdirSync(directory));
}

/** A mount's root is on another device than its parent, or (a bind mount of the same) is no entry that can be removed. */
export function isMountPoint(directory: string): boolean {
  const [own, parent] = [directory, dirname(directory)].map((path) => lstatSync(path, { throwIfNoEntry: false }));
  if (own === undefined || parent === undefined) return false;
  if (own.dev !== parent.dev) return true;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return mounts.some((line) => line.split(' ')[4] === directory);
}

/** What a writer of ours that was killed has left. */
export function isTemporary(name: string): boolean {
  return name.startsWith(TEMPORARY_PREFIX);
}

function ifThere<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
