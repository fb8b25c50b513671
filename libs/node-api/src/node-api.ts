/** What the admin API asks of nodes, whichever way it reaches them. */
import type { NodeRequest } from '@canal/agent-protocol';

export type AgentName = 'flanneld' | 'policy-agent';

export interface NodeApi {
  /** The answer's value. Rejects with NodeApiError, also when the signal aborts. */
  ask(node: string, agent: AgentName, request: NodeRequest, signal: AbortSignal): Promise<unknown>;
  /** One value a line, until the agent ends, or the signal aborts (then it returns). Throws NodeApiError when it breaks. */
  follow(node: string, agent: AgentName, request: NodeRequest, signal: AbortSignal): AsyncIterable<unknown>;
}

export type NodeApiErrorCode =
  /** No connection, no answer in time, or a certificate that is not the node's. */
  | 'unreachable'
  /** The agent does not let us ask. */
  | 'refused'
  /** The agent answered with an error of its own: `agentCode` says which. */
  | 'agent'
  /** What came cannot be read: another version, or not an agent. */
  | 'unreadable';

export class NodeApiError extends Error {
  readonly code: NodeApiErrorCode;
  /** AgentErrorCode, with code `agent`. */
  readonly agentCode: string | undefined;

  constructor(code: NodeApiErrorCode, message: string, agentCode?: string) {
    super(message);
    this.code = code;
    this.agentCode = agentCode;
  }
}
