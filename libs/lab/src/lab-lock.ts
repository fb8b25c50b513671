import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { tryLockFile } from '@canal/linux-ffi';
import { LabError } from './lab-error.ts';
import { type LabPaths } from './lab-paths.ts';
import { checkOwnDirectory } from './own-directory.ts';
import { waitFor } from './wait.ts';

/** Time for another command on the same lab: a node's or a whole lab's coming up. */
const LOCK_TIMEOUT_MS = 60_000;
const LOCK_INTERVAL_MS = 50;

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told once, when somebody else has the lock. */
  readonly onWait?: (() => void) | undefined;
}

/**
 * The right to change the lab; commands on other labs are not held up. It ends with the process, however that ends.
 * Makes the lab's directory, for the lock file stands in it and goes with it. Throws LabError `busy`, and `exists` when
 * the directory is somebody else's.
 */
export async function lockLab(paths: LabPaths, options: LockOptions = {}): Promise<Disposable> {
  const held = tryLock(paths);
  if (held !== undefined) return held;
  options.onWait?.();
  const wait = { timeoutMs: LOCK_TIMEOUT_MS, intervalMs: LOCK_INTERVAL_MS, signal: options.signal };
  try {
    return await waitFor('another command', wait, () => tryLock(paths));
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    throw new LabError('busy', 'another command is at work on this lab', { hint: 'try again when it has ended' });
  }
}

function tryLock(paths: LabPaths): Disposable | undefined {
  checkOwnDirectory(paths);
  mkdirSync(dirname(paths.lock), { recursive: true, mode: 0o700 });
  const lock = tryLockFile(paths.lock);
  if (lock === undefined) return undefined;
  // Between opening and locking, a "down" may have removed the file and an "up" made another: then the lock is on a
  // file that nobody will look at again. If the path is the file that we hold, a second try must fail.
  const other = tryLockFile(paths.lock);
  if (other === undefined) return lock;
  other[Symbol.dispose]();
  lock[Symbol.dispose]();
  return undefined;
}
