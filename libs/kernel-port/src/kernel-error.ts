/** Why the kernel refused one operation: data beside the operation, because the others went on. */
export interface KernelFault {
  /** Symbolic errno such as EEXIST or ENODEV; EOTHER for one without a name here. */
  readonly code: string;
  /** The kernel's own words (extended ack) where it gave some, else the errno's meaning. */
  readonly message: string;
}

/** The kernel could not be talked to at all: no socket, no permission, no such namespace. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: KernelErrorCode;

  constructor(code: KernelErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}

export type KernelErrorCode =
  /** CAP_NET_ADMIN (or CAP_SYS_ADMIN for another namespace) is missing. */
  | 'permission'
  /** The namespace's path does not exist or is none. */
  | 'namespace'
  /** close() was called. */
  | 'closed'
  /** Any other failure to ask or to understand the answer. */
  | 'io';
