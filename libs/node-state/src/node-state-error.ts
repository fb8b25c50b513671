/** Why a file of the node's state could not be read or written. */
export type NodeStateErrorCode =
  /** The file is not there (yet). */
  | 'missing'
  /** It is there and does not hold what it should. */
  | 'invalid'
  /** The kernel refused the read or write: ENOSPC, EROFS, EACCES … in `cause`. */
  | 'io'
  /** Another process holds the lock longer than the deadline. */
  | 'locked';

/** The one error this library throws. `path` is the file it speaks of; the message names what was expected. */
export class NodeStateError extends Error {
  override readonly name = 'NodeStateError';
  readonly code: NodeStateErrorCode;
  readonly path: string;

  constructor(code: NodeStateErrorCode, path: string, message: string, cause?: unknown) {
    super(`${path}: ${message}`, { cause });
    this.code = code;
    this.path = path;
  }
}

/** The errno name (`ENOENT`) of what node:fs threw, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** `No space left on device` style text of a failed file operation, as a NodeStateError. */
export function ioError(path: string, operation: string, error: unknown): NodeStateError {
  const reason = error instanceof Error ? error.message : String(error);
  return new NodeStateError('io', path, `cannot ${operation}: ${reason}`, error);
}
