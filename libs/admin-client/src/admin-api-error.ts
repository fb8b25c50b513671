/** Everything that can go wrong between a caller and the admin API. */
import type { Problem } from './generated/types.ts';

export type AdminApiErrorCode =
  /** The API said no: `problem` says what and why. */
  | 'problem'
  /** Nobody answers there. */
  | 'unreachable'
  /** Whoever answers has no certificate of the authority that is trusted. */
  | 'untrusted'
  | 'timeout'
  /** What was answered is not what the API answers. */
  | 'broken';

export interface AdminApiErrorDetails {
  readonly problem?: Problem;
  /** Of the request, as in the server's log. */
  readonly requestId?: string;
  /** How long the server wants to be left alone. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** Its message may carry texts of the server. */
export class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  readonly code: AdminApiErrorCode;
  readonly problem: Problem | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: AdminApiErrorCode, message: string, details: AdminApiErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.problem = details.problem;
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** Whether the same request may succeed in a moment. */
  get isPassing(): boolean {
    if (this.code === 'problem') return [429, 503].includes(this.problem?.status ?? 0);
    return this.code === 'unreachable' || this.code === 'timeout';
  }
}
