/** flock(2): whole-file advisory locks, as the host-local IPAM plugin takes them. */
import { closeSync, openSync } from 'node:fs';
import { libc, retryOnSignal } from './libc.ts';
import { isLinuxError } from './linux-error.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Waits for the exclusive lock of the file, which is made when missing; disposing gives it back. The lock belongs to
 * the open file: it also ends with the process, however that ends. The whole process waits: take it where nothing else runs.
 */
export function lockFile(path: string): Disposable {
  return lock(path, LOCK_EX);
}

/** The exclusive lock of the file, or undefined if somebody else has it. */
export function tryLockFile(path: string): Disposable | undefined {
  try {
    return lock(path, LOCK_EX | LOCK_NB);
  } catch (error) {
    if (isLinuxError(error, 'EAGAIN')) return undefined;
    throw error;
  }
}

function lock(path: string, operation: number): Disposable {
  const fd = openSync(path, 'a', 0o600);
  try {
    retryOnSignal('flock', () => libc().flock(fd, operation), path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}
