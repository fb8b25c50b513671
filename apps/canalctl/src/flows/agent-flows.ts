/** Flows of this machine's agent, over its socket. */
import type { AgentRequest } from '@canal/agent-protocol';
import { ask } from '../policy/agent-client.ts';
import { readFlowRecord } from '../policy/read-answers.ts';
import type { FlowFilter, ShownFlow } from './flow-filter.ts';
import type { FlowSource } from './flow-source.ts';

/** More than an agent remembers. */
const ALL = 1_000_000;

export function agentFlows(socket: string, { query, isWhole, means }: FlowFilter): FlowSource {
  const denied = query.verdict === 'deny';
  // The agent counts before anything else is left out.
  const isCounted = isWhole && query.namespace === undefined && query.verdict !== 'allow';
  async function* flows(count: number, follow: boolean, signal: AbortSignal): AsyncGenerator<ShownFlow, void> {
    const request: AgentRequest = { op: 'flows', follow, last: count === 0 || isCounted ? count : ALL, denied };
    for await (const value of ask(socket, request, signal)) {
      const flow = readFlowRecord(value);
      if (means(flow)) yield flow;
    }
  }
  const newest: FlowSource['newest'] = async (count, signal) => {
    const found: ShownFlow[] = [];
    for await (const flow of flows(count, false, signal)) {
      found.push(flow);
      if (found.length > count) found.shift();
    }
    signal.throwIfAborted();
    return { flows: found, missing: [] };
  };
  return {
    withNode: false,
    newest,
    async *follow(count, signal) {
      // Those to come are not told apart from those that were: with a filter they are asked for one after the other.
      if (!isCounted && count > 0) {
        for (const flow of (await newest(count, signal)).flows) yield { type: 'flow', flow };
      }
      for await (const flow of flows(isCounted ? count : 0, true, signal)) yield { type: 'flow', flow };
    },
  };
}
