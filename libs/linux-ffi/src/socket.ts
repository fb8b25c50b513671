/** Sockets by file descriptor: what netlink, ICMP and probes share. */
import { check, libc } from './libc.ts';

export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;

const SOL_SOCKET = 1;

/** SO_* at level SOL_SOCKET (asm-generic/socket.h). */
export const SO = { SNDBUF: 7, RCVBUF: 8, RCVTIMEO: 20, SNDTIMEO: 21, SNDBUFFORCE: 32, RCVBUFFORCE: 33 } as const;

/** A new socket with close-on-exec set. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return check('socket', libc().socket(domain, type | SOCK.CLOEXEC, protocol), `domain ${domain}`);
}

/** Closes without complaint: a descriptor is gone after close(2) whatever it returns. */
export function closeFd(fd: number): void {
  libc().close(fd);
}

export function setIntOption(fd: number, level: number, option: number, value: number): void {
  const bytes = new Int32Array([value]);
  check('setsockopt', libc().setsockopt(fd, level, option, bytes, bytes.byteLength), `level ${level} option ${option}`);
}

export function getIntOption(fd: number, level: number, option: number): number {
  const value = new Int32Array(1);
  const length = new Uint32Array([value.byteLength]);
  check('getsockopt', libc().getsockopt(fd, level, option, value, length), `level ${level} option ${option}`);
  return value[0] ?? 0;
}

/** Bounds how long a receive blocks; it then fails with EAGAIN. */
export function setReceiveTimeout(fd: number, timeoutMs: number): void {
  setTimeoutOption(fd, SO.RCVTIMEO, timeoutMs);
}

/** Bounds how long a send blocks, and a connect to a unix socket; it then fails with EAGAIN. */
export function setSendTimeout(fd: number, timeoutMs: number): void {
  setTimeoutOption(fd, SO.SNDTIMEO, timeoutMs);
}

function setTimeoutOption(fd: number, option: number, timeoutMs: number): void {
  // 0 would be "for ever".
  const us = Math.max(1, Math.ceil(timeoutMs * 1000));
  // struct timeval of 64-bit Linux: seconds, microseconds.
  const timeval = new BigInt64Array([BigInt(Math.floor(us / 1e6)), BigInt(us % 1e6)]);
  check('setsockopt', libc().setsockopt(fd, SOL_SOCKET, option, timeval, timeval.byteLength), `timeout ${option}`);
}

/**
 * Sets a buffer size beyond net.core.[rw]mem_max if the process may, within it otherwise. Returns what the kernel made
 * of it (twice the value: its bookkeeping counts).
 */
export function setBufferBytes(fd: number, which: 'receive' | 'send', bytes: number): number {
  const [plain, forced] = which === 'receive' ? [SO.RCVBUF, SO.RCVBUFFORCE] : [SO.SNDBUF, SO.SNDBUFFORCE];
  const value = new Int32Array([bytes]);
  if (libc().setsockopt(fd, SOL_SOCKET, forced, value, value.byteLength) < 0) {
    setIntOption(fd, SOL_SOCKET, plain, bytes);
  }
  return getIntOption(fd, SOL_SOCKET, plain);
}
