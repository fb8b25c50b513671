import type { AgentErrorCode } from '@canal/agent-protocol';

export type PolicyAgentErrorCode =
  | AgentErrorCode
  /** Nothing listens at the socket. */
  | 'unreachable'
  /** The socket is root's alone. */
  | 'forbidden'
  /** It says nothing in time. */
  | 'timeout'
  /** It ended the connection, or said what is no answer. */
  | 'broken';

/** A policy agent did not give what it was asked for. */
export class PolicyAgentError extends Error {
  override readonly name = 'PolicyAgentError';
  readonly code: PolicyAgentErrorCode;
  /** The next step, where there is a better one than the code's. */
  readonly hint?: string;

  constructor(code: PolicyAgentErrorCode, message: string, options: ErrorOptions & { hint?: string } = {}) {
    super(message, options);
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}
