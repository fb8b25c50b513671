/** A lab operation that cannot go on. `hint` is the next step, in words a person can act on. */
export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: LabErrorCode;
  readonly hint?: string;

  constructor(code: LabErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

export type LabErrorCode =
  /** The machine lacks something: root, a kernel feature, the binary. */
  | 'not-supported'
  /** There is no such lab, node or pod. */
  | 'not-found'
  /** There is one already, and it is not what was asked for. */
  | 'exists'
  /** A wish that cannot be. */
  | 'invalid'
  /** Another command works on this lab right now. */
  | 'busy'
  /** A part of the lab did not do what it should: its log says why. */
  | 'failed'
  /** A part of the lab took longer than its deadline. */
  | 'timeout';
