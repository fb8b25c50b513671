import { isLinuxError, tryLockFile } from '@canal/linux-ffi';
import { errnoOf, ioError, NodeStateError } from './node-state-error.ts';

/** Longest pause between two tries: holders keep a pool for about a millisecond. */
const MAX_PAUSE_MS = 2;

/**
 * Takes the exclusive flock(2) that host-local takes as well. Waits by trying: a blocking flock could not be given up
 * when its holder hangs, and the runtime would wait for this ADD for ever. Undefined when the file's directory is not
 * there; throws NodeStateError `locked` after the time.
 */
export function takePoolLock(path: string, timeoutMs: number): Disposable | undefined {
  const deadline = performance.now() + timeoutMs;
  try {
    for (let pauseMs = 0.2; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      const lock = tryLockFile(path);
      if (lock !== undefined) return lock;
      if (performance.now() >= deadline) break;
      // Apart by chance, so that many waiters do not try in step.
      Bun.sleepSync(pauseMs * (0.5 + Math.random()));
    }
  } catch (error) {
    // A file where a directory should be holds no address either: it must not end the rounds over all networks.
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || isLinuxError(error, 'ENOENT')) return undefined;
    throw ioError(path, 'lock', error);
  }
  throw new NodeStateError('locked', path, `another process has held the lock for ${timeoutMs} ms`);
}
