/** What keeps a node from being set up, in words for people. `cure` is the next step. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
  readonly code: SetupErrorCode;
  readonly cure: string;

  constructor(code: SetupErrorCode, message: string, cure: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.cure = cure;
  }
}

export type SetupErrorCode =
  /** The command line. */
  | 'usage'
  /** The host cannot run the plugin: its C library, mount options, memory policy, processor. */
  | 'host'
  /** A file could not be written. */
  | 'files'
  /** Pods are in the way of an uninstall, or an agent that runs. */
  | 'pods'
  | 'agent';
