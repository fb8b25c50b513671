/** What a client was configured with cannot be used. The text names file, entry and field, and never a credential. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError';
  readonly code: KubeConfigErrorCode;

  constructor(code: KubeConfigErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export type KubeConfigErrorCode =
  /** A file that is needed is missing or cannot be read. */
  | 'unreadable'
  | 'malformed'
  /** The context, cluster or user that is asked for is not there. */
  | 'missing-entry'
  | 'unsupported'
  | 'exec-failed';
