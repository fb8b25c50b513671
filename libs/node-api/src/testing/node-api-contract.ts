/** What every NodeApi does, whichever way it reaches the agents. */
import type { AgentAnswer } from '@canal/agent-protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentName, type NodeApi, NodeApiError, type NodeApiErrorCode } from '../node-api.ts';
import type { ScriptedAgent } from './scripted-agent.ts';

/** A few nodes that a test fills with agents. */
export interface NodeApiWorld extends AsyncDisposable {
  readonly api: NodeApi;
  /** The API can reach it from when this resolves. */
  serve(node: string, agent: AgentName, script: ScriptedAgent): Promise<void>;
  /** Nobody listens any more where the agent was. */
  close(node: string, agent: AgentName): Promise<void>;
  /** What listens there says something that is no answer. */
  garble(node: string, agent: AgentName): Promise<void>;
}

const AGENT = 'policy-agent';
const STATUS = { op: 'status' } as const;
const FLOWS = { op: 'flows', follow: true, last: 0, denied: false } as const;

export function describeNodeApi(name: string, createWorld: () => Promise<NodeApiWorld>): void {
  describe(name, () => {
    let world: NodeApiWorld;
    let leave: AbortController;

    beforeEach(async () => {
      world = await createWorld();
      leave = new AbortController();
    });

    afterEach(async () => {
      leave.abort();
      await world[Symbol.asyncDispose]();
    });

    const failure = async (work: Promise<unknown>): Promise<{ code: NodeApiErrorCode; agentCode?: string }> => {
      const error = await work.then(
        (value) => new Error(`it must fail, and gave ${JSON.stringify(value)}`),
        (reason: unknown) => reason,
      );
      if (!(error instanceof NodeApiError)) throw error;
      return { code: error.code, ...(error.agentCode !== undefined && { agentCode: error.agentCode }) };
    };

    test('the agent gets the request, and its value comes back', async () => {
      await world.serve('a', AGENT, async function* answer(request) {
        await Promise.resolve();
        yield { ok: true, value: { request, text: 'ä\u0000\u001b[31m\n\u2028' } };
      });
      const question = { source: 'shop/web-0', destination: '10.0.0.1', protocol: 'TCP', port: 80 };
      const request = { op: 'explain', question } as const;
      const value = await world.api.ask('a', AGENT, request, leave.signal);
      expect(value).toEqual({ request, text: 'ä\u0000\u001b[31m\n\u2028' });
    });

    test('answers as long as a list of endpoints come whole', async () => {
      const value = Array.from({ length: 5_000 }, (_, index) => ({ index, text: 'x'.repeat(100) }));
      await world.serve('a', AGENT, () => lines([{ ok: true, value }]));
      expect(await world.api.ask('a', AGENT, { op: 'endpoints' }, leave.signal)).toEqual(value);
    });

    test('questions at one time are kept apart', async () => {
      for (const node of ['a', 'b']) {
        for (const agent of ['flanneld', 'policy-agent'] as const) {
          await world.serve(node, agent, () => lines([{ ok: true, value: `${node} ${agent}` }]));
        }
      }
      const questions = ['a', 'b', 'a', 'b'].flatMap((node) => [
        world.api.ask(node, 'flanneld', { op: 'network-status' }, leave.signal),
        world.api.ask(node, 'policy-agent', STATUS, leave.signal),
      ]);
      expect(await Promise.all(questions)).toEqual(
        ['a', 'b', 'a', 'b'].flatMap((node) => [`${node} flanneld`, `${node} policy-agent`]),
      );
    });

    test("the agent's own error is told with its code", async () => {
      await world.serve('a', AGENT, () => lines([{ ok: false, code: 'not-ready', message: 'wait' }]));
      expect(await failure(world.api.ask('a', AGENT, STATUS, leave.signal))).toEqual({
        code: 'agent',
        agentCode: 'not-ready',
      });
    });

    test('nobody listens', async () => {
      await world.serve('a', AGENT, () => lines([{ ok: true, value: 1 }]));
      await world.close('a', AGENT);
      expect(await failure(world.api.ask('a', AGENT, STATUS, leave.signal))).toEqual({ code: 'unreachable' });
    });

    test('a node that nobody knows', async () => {
      expect(await failure(world.api.ask('nobody', AGENT, STATUS, leave.signal))).toEqual({ code: 'unreachable' });
    });

    test('what is no answer is unreadable', async () => {
      await world.garble('a', AGENT);
      expect(await failure(world.api.ask('a', AGENT, STATUS, leave.signal))).toEqual({ code: 'unreadable' });
    });

    test('an agent that ends without an answer', async () => {
      await world.serve('a', AGENT, () => lines([]));
      expect((await failure(world.api.ask('a', AGENT, STATUS, leave.signal))).code).toMatch(/^un(reachable|readable)$/);
    });

    test('a signal frees who waits for an answer, and the agent hears of it', async () => {
      const heard = Promise.withResolvers<undefined>();
      const asked = Promise.withResolvers<undefined>();
      await world.serve('a', AGENT, async function* silent(_request, signal) {
        asked.resolve(undefined);
        await aborted(signal);
        heard.resolve(undefined);
        yield* [];
      });
      const answer = failure(world.api.ask('a', AGENT, STATUS, leave.signal));
      await asked.promise;
      leave.abort();
      expect(await answer).toEqual({ code: 'unreachable' });
      await heard.promise;
    });

    test('a signal that has aborted before', async () => {
      await world.serve('a', AGENT, () => lines([{ ok: true, value: 1 }]));
      leave.abort();
      expect(await failure(world.api.ask('a', AGENT, STATUS, leave.signal))).toEqual({ code: 'unreachable' });
      expect(await collect(world.api.follow('a', AGENT, FLOWS, leave.signal))).toEqual([]);
    });

    test('who follows gets a value a line, until the agent ends', async () => {
      await world.serve('a', AGENT, () => lines([1, 2, 3].map((value) => ({ ok: true, value }))));
      expect(await collect(world.api.follow('a', AGENT, FLOWS, leave.signal))).toEqual([1, 2, 3]);
    });

    test('a signal ends following without an error, and the agent hears of it', async () => {
      const heard = Promise.withResolvers<undefined>();
      await world.serve('a', AGENT, async function* endless(_request, signal) {
        void aborted(signal).then(() => heard.resolve(undefined));
        yield { ok: true, value: 1 };
        await aborted(signal);
      });
      const values: unknown[] = [];
      for await (const value of world.api.follow('a', AGENT, FLOWS, leave.signal)) {
        values.push(value);
        leave.abort();
      }
      expect(values).toEqual([1]);
      await heard.promise;
    });

    test('who leaves the loop is not followed by anything', async () => {
      const heard = Promise.withResolvers<undefined>();
      await world.serve('a', AGENT, async function* endless(_request, signal) {
        void aborted(signal).then(() => heard.resolve(undefined));
        yield { ok: true, value: 1 };
        await aborted(signal);
      });
      for await (const value of world.api.follow('a', AGENT, FLOWS, leave.signal)) {
        expect(value).toBe(1);
        break;
      }
      await heard.promise;
    });

    test('following tells when it breaks', async () => {
      await world.serve('a', AGENT, () =>
        lines([
          { ok: true, value: 1 },
          { ok: false, code: 'internal', message: 'broken' },
        ]),
      );
      expect(await failure(collect(world.api.follow('a', AGENT, FLOWS, leave.signal)))).toEqual({
        code: 'agent',
        agentCode: 'internal',
      });
      expect(await failure(collect(world.api.follow('nobody', AGENT, FLOWS, leave.signal)))).toEqual({
        code: 'unreachable',
      });
    });
  });
}

async function* lines(answers: readonly AgentAnswer[]): AsyncGenerator<AgentAnswer> {
  for (const answer of answers) {
    await Promise.resolve();
    yield answer;
  }
}

async function collect(values: AsyncIterable<unknown>): Promise<unknown[]> {
  const collected: unknown[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
