import { errnoName } from 'netlink-ts';

/** A system call failed. */
export class LinuxError extends Error {
  override readonly name = 'LinuxError';
  /** Errno name: `EPERM`. */
  readonly code: string;
  readonly errno: number;
  /** The system call: `setns`. */
  readonly operation: string;
  /** What it was called on: a path, a device name. */
  readonly context: string;

  constructor(operation: string, errno: number, context = '') {
    super(`${operation}${context === '' ? '' : ` ${context}`}: ${errnoName(errno)} (${errno})`);
    this.code = errnoName(errno);
    this.errno = errno;
    this.operation = operation;
    this.context = context;
  }
}

/** An error of this library with one of the given errno names. */
export function isLinuxError(error: unknown, ...codes: readonly string[]): error is LinuxError {
  return error instanceof Error && error.name === 'LinuxError' && 'code' in error && codes.includes(String(error.code));
}
