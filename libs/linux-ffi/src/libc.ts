/**
 * The C library. Symbols are bound on first use, all at once (a third of a millisecond): a program that needs none of
 * them pays nothing. Only symbols of glibc 2.17 are listed, so that the binary runs on every host that Bun runs on.
 */
// eslint-disable-next-line @nx/enforce-module-boundaries -- a module of the runtime, no package
import { dlopen, type FFIFunction, FFIType, type Library, read } from 'bun:ffi';
import { LinuxError } from './linux-error.ts';

const { i32, u32, u64, i64_fast: ssize, ptr, void: nothing } = FFIType;

const SYMBOLS = {
  __errno_location: { args: [], returns: ptr },
  _exit: { args: [i32], returns: nothing },
  bind: { args: [i32, ptr, u32], returns: i32 },
  close: { args: [i32], returns: i32 },
  connect: { args: [i32, ptr, u32], returns: i32 },
  flock: { args: [i32, i32], returns: i32 },
  getsockname: { args: [i32, ptr, ptr], returns: i32 },
  getsockopt: { args: [i32, i32, i32, ptr, ptr], returns: i32 },
  ioctl: { args: [i32, u64, ptr], returns: i32 },
  mount: { args: [ptr, ptr, ptr, u64, ptr], returns: i32 },
  poll: { args: [ptr, u64, i32], returns: i32 },
  recv: { args: [i32, ptr, u64, i32], returns: ssize },
  recvfrom: { args: [i32, ptr, u64, i32, ptr, ptr], returns: ssize },
  send: { args: [i32, ptr, u64, i32], returns: ssize },
  sendto: { args: [i32, ptr, u64, i32, ptr, u32], returns: ssize },
  setns: { args: [i32, i32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
  socket: { args: [i32, i32, i32], returns: i32 },
  umount2: { args: [ptr, i32], returns: i32 },
  unshare: { args: [i32], returns: i32 },
} as const;

type Symbols = Library<typeof SYMBOLS>['symbols'];

let symbols: Symbols | undefined;

/** The bound functions. Throws an error that names the cause where the host forbids executable memory. */
export function libc(): Symbols {
  return (symbols ??= bindLibc(SYMBOLS));
}

/** Functions that only a few programs need, bound apart. Only symbols of glibc 2.17, here too. */
export function bindLibc<T extends Record<string, FFIFunction>>(wanted: T): Library<T>['symbols'] {
  try {
    return dlopen('libc.so.6', wanted).symbols;
  } catch (cause) {
    const hint = 'calling into libc needs glibc and memory that is writable and executable (no MemoryDenyWriteExecute)';
    throw new Error(`cannot bind libc.so.6: ${hint}`, { cause });
  }
}

/** errno of the last call on this thread: to be read before anything else is called. */
export function lastErrno(): number {
  const location = libc().__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}

/** The result of a call, or a LinuxError if it is negative. Give the call's result directly, so that errno is fresh. */
export function check(operation: string, result: number | bigint, context = ''): number {
  if (result < 0) throw new LinuxError(operation, lastErrno(), context);
  return Number(result);
}

const EINTR = 4;

/** Runs a call again while signals interrupt it. */
export function retryOnSignal(operation: string, call: () => number | bigint, context = ''): number {
  for (;;) {
    const result = call();
    if (result >= 0) return Number(result);
    const errno = lastErrno();
    if (errno !== EINTR) throw new LinuxError(operation, errno, context);
  }
}

/** Text as C wants it. Refuses NUL bytes, which would cut a path short. */
export function cString(text: string): Uint8Array {
  if (text.includes('\0')) throw new TypeError('text for the C library contains a NUL byte');
  return Buffer.from(`${text}\0`);
}
