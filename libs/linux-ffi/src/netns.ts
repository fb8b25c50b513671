/**
 * Network namespaces. A namespace belongs to a thread: it is entered on the JavaScript thread, left in the same
 * synchronous stretch, and nothing asynchronous may start in between: a thread that the runtime creates meanwhile would
 * stay in the foreign namespace for good (and asynchronous file or network calls run on such threads).
 */
import { closeSync, mkdirSync, openSync, statfsSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { check, libc } from './libc.ts';
import { isLinuxError, LinuxError } from './linux-error.ts';
import { bindMount, MNT_DETACH, shareMount, unmount } from './mount.ts';

/** A namespace by path (`/run/netns/x`, `/proc/123/ns/net`) or open file descriptor. */
export type NetnsRef = string | number;

/** What a callback inside a namespace may return: anything that is there now. */
type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

const CLONE_NEWNET = 0x4000_0000;
const OWN_NETNS = '/proc/thread-self/ns/net';
/** linux/magic.h: the file system of namespace files. */
const NSFS_MAGIC = 0x6e73_6673;
const EXIT_LOST_NAMESPACE = 70;

/**
 * Runs the callback inside the namespace and returns its result. What it opens stays in that namespace: sockets
 * (`Bun.serve` among them) and child processes (`Bun.spawn`). If the thread cannot return to its own namespace the
 * process exits at once: every later socket would be in the wrong place.
 */
export function withNetns<T>(netns: NetnsRef, callback: () => Synchronous<T>): Synchronous<T> {
  const own = openSync(OWN_NETNS, 'r');
  try {
    enter(netns);
    try {
      return callback();
    } finally {
      returnTo(own);
    }
  } finally {
    closeSync(own);
  }
}

/**
 * Starts the threads of the runtime's pool from the namespace that the process is in now. Daemons call it once before
 * their first `withNetns`, as a second line of defence behind the rule that nothing asynchronous starts inside.
 */
export async function warmThreadPool(): Promise<void> {
  const { stat } = await import('node:fs/promises');
  await Promise.all(Array.from({ length: 64 }, () => stat('/')));
}

/**
 * Makes a new namespace and keeps it by a bind mount at `path`, as `ip netns add` does. Its loopback is down. Fails
 * with EEXIST if there is such a file. The directory is made a shared mount, so that removal reaches the copies of the
 * mount that processes with mount namespaces of their own hold.
 */
export function createNetns(path: string): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  shareMount(directory);
  createEmptyFile(path);
  const own = openSync(OWN_NETNS, 'r');
  try {
    check('unshare', libc().unshare(CLONE_NEWNET));
    try {
      bindMount(OWN_NETNS, path);
    } finally {
      returnTo(own);
    }
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(own);
  }
}

/**
 * Makes a new namespace without a name and gives a descriptor of it: nothing of it is left once that and all that was
 * opened inside are closed, also when the process is killed. Its loopback is down.
 */
export function openNewNetns(): number {
  const own = openSync(OWN_NETNS, 'r');
  try {
    check('unshare', libc().unshare(CLONE_NEWNET));
    try {
      return openSync(OWN_NETNS, 'r');
    } finally {
      returnTo(own);
    }
  } finally {
    closeSync(own);
  }
}

/** Takes the bind mount and the file away; the namespace lives on while processes are in it. Absent: no error. */
export function removeNetns(path: string): void {
  try {
    unmount(path, MNT_DETACH);
  } catch (error) {
    // EINVAL: a plain file, left by a crash between its creation and the mount.
    if (!isLinuxError(error, 'ENOENT', 'EINVAL')) throw error;
  }
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
}

/**
 * Device and inode of the namespace, this process's by default: equal for two references to the same one. Undefined when
 * there is nothing, or something that is no namespace (the plain file that a lost mount leaves behind).
 */
export function netnsIdentity(netns: NetnsRef = OWN_NETNS): string | undefined {
  const path = typeof netns === 'number' ? `/proc/self/fd/${netns}` : netns;
  try {
    if (statfsSync(path).type !== NSFS_MAGIC) return undefined;
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function enter(netns: NetnsRef): void {
  if (typeof netns === 'number') {
    check('setns', libc().setns(netns, CLONE_NEWNET), `fd ${netns}`);
    return;
  }
  const fd = openSync(netns, 'r');
  try {
    check('setns', libc().setns(fd, CLONE_NEWNET), netns);
  } finally {
    closeSync(fd);
  }
}

function returnTo(own: number): void {
  if (libc().setns(own, CLONE_NEWNET) === 0) return;
  writeSync(2, 'fatal: cannot return to the own network namespace\n');
  libc()._exit(EXIT_LOST_NAMESPACE);
}

function createEmptyFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o444));
  } catch (error) {
    if (isCode(error, 'EEXIST')) throw new LinuxError('create', 17, path);
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
