/** Nodes in memory: what the handlers of the admin API are tested with. It keeps the same contract as the real ones. */
import type { AgentAnswer, NodeRequest } from '@canal/agent-protocol';
import { type AgentName, type NodeApi, NodeApiError } from '../node-api.ts';
import type { ScriptedAgent } from './scripted-agent.ts';

export interface FakeQuestion {
  readonly node: string;
  readonly agent: AgentName;
  readonly request: NodeRequest;
}

export class FakeNodes implements NodeApi {
  /** In the order in which they were asked. */
  readonly asked: FakeQuestion[] = [];
  /** Most that were asked at one time. */
  mostAtOnce = 0;
  #atOnce = 0;
  readonly #agents = new Map<string, ScriptedAgent>();

  /** From now on; questions that are being answered are not touched. */
  serve(node: string, agent: AgentName, script: ScriptedAgent): void {
    this.#agents.set(keyOf(node, agent), script);
  }

  /** Nobody listens any more. */
  close(node: string, agent: AgentName): void {
    this.#agents.delete(keyOf(node, agent));
  }

  /** Connects, and says nothing. */
  silence(node: string, agent: AgentName): void {
    this.serve(node, agent, async function* silent(_request, signal) {
      await aborted(signal);
    });
  }

  /** Says what is no answer. */
  garble(node: string, agent: AgentName): void {
    this.serve(node, agent, async function* garbled() {
      await Promise.resolve();
      throw new NodeApiError('unreadable', 'not JSON: <html>');
    });
  }

  async ask(node: string, agent: AgentName, request: NodeRequest, signal: AbortSignal): Promise<unknown> {
    for await (const answer of this.#answers(node, agent, request, signal)) return valueOf(answer);
    throw new NodeApiError('unreachable', signal.aborted ? 'no answer in time' : 'the connection was closed');
  }

  async *follow(node: string, agent: AgentName, request: NodeRequest, signal: AbortSignal): AsyncGenerator {
    for await (const answer of this.#answers(node, agent, request, signal)) yield valueOf(answer);
  }

  async *#answers(
    node: string,
    agent: AgentName,
    request: NodeRequest,
    signal: AbortSignal,
  ): AsyncGenerator<AgentAnswer> {
    this.asked.push({ node, agent, request });
    const script = this.#agents.get(keyOf(node, agent));
    if (script === undefined) throw new NodeApiError('unreachable', 'connection refused');
    if (signal.aborted) return;
    const gone = new AbortController();
    const end = (): void => gone.abort();
    signal.addEventListener('abort', end, { once: true });
    this.#atOnce++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    const lines = script(structuredClone(request), gone.signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        // As over a connection: who asked is free when its signal aborts, whatever the agent does.
        const next = await Promise.race([lines.next(), aborted(signal).then(() => undefined)]);
        if (next === undefined || next.done === true) return;
        yield structuredClone(next.value);
      }
    } finally {
      this.#atOnce--;
      signal.removeEventListener('abort', end);
      gone.abort();
    }
  }
}

function keyOf(node: string, agent: AgentName): string {
  return `${node} ${agent}`;
}

function valueOf(answer: AgentAnswer): unknown {
  if (answer.ok) return answer.value;
  throw new NodeApiError('agent', answer.message, answer.code);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
