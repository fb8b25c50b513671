/** A failed store operation. `code` is stable; the text is for people and carries no credential. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** HTTP status when there was an answer. */
  readonly status?: number;
  /** The server's machine-readable reason (`Expired`, `AlreadyExists`, …), when it gave one. */
  readonly reason?: string;
  /** How long the server asked us to wait, when it did. */
  readonly retryAfterMs?: number;
  /** No connection came about: nobody listens, or no way leads there. The server has done nothing for the request. */
  readonly unreached: boolean;

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.status !== undefined) this.status = options.status;
    if (options.reason !== undefined) this.reason = options.reason;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    this.unreached = options.unreached ?? false;
  }
}

export interface StoreErrorOptions {
  readonly status?: number;
  readonly reason?: string;
  readonly retryAfterMs?: number;
  readonly unreached?: boolean;
  readonly cause?: unknown;
}

export type StoreErrorCode =
  | 'not-found'
  | 'already-exists'
  /** The object changed since it was read: read again, decide again. */
  | 'conflict'
  /** The version asked for is no longer kept: list again. */
  | 'expired'
  /** The version asked for is one that the server has not reached (it was restored, or lags): list again. */
  | 'version-ahead'
  | 'invalid'
  | 'forbidden'
  | 'unauthorized'
  /** No answer, or one that says "later". */
  | 'unavailable'
  | 'unsupported';

/** True for what another try may cure without anything else changing. */
export function isRetriable(error: unknown): boolean {
  return error instanceof StoreError && (error.code === 'unavailable' || error.code === 'expired');
}

export function isNotFound(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'not-found';
}
