/** An agent of which a test says what it answers. */
import type { AgentAnswer, NodeRequest } from '@canal/agent-protocol';

/** Lines of the answer to one request. The signal aborts when who asked is gone. */
export type ScriptedAgent = (request: NodeRequest, signal: AbortSignal) => AsyncIterable<AgentAnswer>;
