import type { AgentAnswer, FlowRecord } from '@canal/agent-protocol';
import type { Flow, FlowFilter } from '@canal/admin-schema';
import { FakeNodes } from '@canal/node-api/testing';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StreamEvent } from '../handler.ts';
import { FlowHub } from './flow-hub.ts';

const START = Date.parse('2026-11-21T12:00:00.000Z');

/** The flows of one node: told to who follows, until it breaks. */
class NodeFlows {
  readonly ring: FlowRecord[] = [];
  readonly #followers = new Set<(answer: AgentAnswer | 'break') => void>();
  readonly lasts: number[] = [];

  get followers(): number {
    return this.#followers.size;
  }

  tell(ms: number, more: Partial<FlowRecord> = {}): void {
    const record: FlowRecord = {
      time: new Date(START + ms).toISOString(),
      verdict: 'deny',
      reason: 'no-rule-allows',
      source: { address: '10.0.0.1', port: ms % 65_536 },
      destination: { address: '10.0.0.2' },
      protocol: 'TCP',
      lost: 0,
      ...more,
    };
    this.ring.push(record);
    for (const follow of this.#followers) follow({ ok: true, value: record });
  }

  say(value: unknown): void {
    for (const follow of this.#followers) follow({ ok: true, value });
  }

  break(): void {
    for (const follow of this.#followers) follow('break');
  }

  async *answers(last: number, signal: AbortSignal): AsyncGenerator<AgentAnswer> {
    this.lasts.push(last);
    const waiting: (AgentAnswer | 'break')[] = this.ring
      .slice(last === 0 ? this.ring.length : -last)
      .map((value) => ({ ok: true, value }));
    let wake = (): void => undefined;
    const follow = (answer: AgentAnswer | 'break'): void => {
      waiting.push(answer);
      wake();
    };
    this.#followers.add(follow);
    const leave = (): void => {
      this.#followers.delete(follow);
      wake();
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      for (;;) {
        const next = waiting.shift();
        if (next === 'break' || signal.aborted) return;
        if (next !== undefined) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      leave();
    }
  }
}

/** What one listener was told, as short texts. */
class Reader {
  readonly told: string[] = [];
  readonly ids: string[] = [];
  readonly #leave = new AbortController();
  readonly #reading: Promise<void>;

  constructor(hub: FlowHub, filter: FlowFilter = {}, lastEventId?: string) {
    this.#reading = this.#read(hub.follow(filter, lastEventId, this.#leave.signal));
  }

  async leave(): Promise<void> {
    this.#leave.abort();
    await this.#reading;
  }

  async #read(events: AsyncIterable<StreamEvent<Flow>>): Promise<void> {
    for await (const event of events) {
      this.ids.push(event.id);
      this.told.push(event.type === 'item' ? `${event.data.node} ${Date.parse(event.data.time) - START}` : 'resync');
    }
  }
}

let names: string[];
let listeners: Set<() => void>;
let api: FakeNodes;
let flows: Map<string, NodeFlows>;
let clock: ReturnType<typeof createFakeClock>;
let hub: FlowHub;
const readers: Reader[] = [];

beforeEach(() => {
  names = [];
  listeners = new Set();
  flows = new Map();
  api = new FakeNodes();
  clock = createFakeClock();
  hub = new FlowHub({
    nodes: {
      names: () => names,
      listen: (listener, signal) => {
        listeners.add(listener);
        signal.addEventListener('abort', () => listeners.delete(listener));
      },
    },
    nodeApi: api,
    clock,
    timeMs: () => START,
    random: () => 0.5,
    log: createCapturedLogger(),
  });
  come('a', 'b');
});

afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.leave();
  await clock.advance(60_000);
});

function come(...nodes: readonly string[]): void {
  for (const node of nodes) {
    const own = new NodeFlows();
    flows.set(node, own);
    api.serve(node, 'policy-agent', (request, signal) =>
      own.answers(request.op === 'flows' ? request.last : 0, signal),
    );
  }
  names = [...names, ...nodes];
  for (const listen of listeners) listen();
}

function go(node: string): void {
  names = names.filter((name) => name !== node);
  for (const listen of listeners) listen();
}

const at = (node: string): NodeFlows => flows.get(node) as NodeFlows;

async function read(filter: FlowFilter = {}, lastEventId?: string): Promise<Reader> {
  const reader = new Reader(hub, filter, lastEventId);
  readers.push(reader);
  await clock.advance(0);
  return reader;
}

async function told(reader: Reader, expected: readonly string[]): Promise<void> {
  await clock.advance(0);
  expect(reader.told).toEqual(expected);
}

test('nodes are followed once for all who listen, and not any more when the last has left for a while', async () => {
  const all = await Promise.all(Array.from({ length: 50 }, () => read()));
  expect([at('a').followers, at('b').followers]).toEqual([1, 1]);
  at('a').tell(1);
  at('b').tell(2);
  for (const reader of all) await told(reader, ['a 1', 'b 2']);
  for (const reader of all) await reader.leave();
  await clock.advance(14_999);
  expect(at('a').followers).toBe(1);
  await clock.advance(2);
  expect([at('a').followers, at('b').followers, listeners.size]).toEqual([0, 0, 0]);
});

test('what fell before is not told, and of a filter only what it means', async () => {
  at('a').tell(1);
  const shop = await read({ namespace: 'shop' });
  const ofB = await read({ node: 'b', verdict: 'allow' });
  at('a').tell(2, { source: { address: '10.0.0.1', pod: { namespace: 'shop', name: 'x' } } });
  at('a').tell(3);
  at('b').tell(4, { verdict: 'allow' });
  at('b').tell(5);
  await told(shop, ['a 2']);
  await told(ofB, ['b 4']);
});

test('a node that comes is followed, one that goes is left', async () => {
  const reader = await read();
  come('c');
  await clock.advance(0);
  at('c').tell(1);
  go('a');
  await clock.advance(0);
  expect(at('a').followers).toBe(0);
  at('a').tell(2);
  at('b').tell(3);
  await told(reader, ['c 1', 'b 3']);
});

test('after a break: resync, and the node is followed again with what fell meanwhile, once each', async () => {
  const reader = await read();
  const ofB = await read({ node: 'b' });
  at('a').tell(1);
  await told(reader, ['a 1']);
  at('a').break();
  await told(reader, ['a 1', 'resync']);
  at('a').tell(2);
  await clock.advance(1_000);
  at('a').tell(3);
  await told(reader, ['a 1', 'resync', 'a 2', 'a 3']);
  await told(ofB, []);
  expect(at('a').lasts).toEqual([0, 1_000]);
});

test('when more fell in the break than its agent remembers, it is told again', async () => {
  const reader = await read();
  at('a').tell(1);
  at('a').break();
  await clock.advance(0);
  at('a').ring.splice(0);
  at('a').tell(9);
  await clock.advance(1_000);
  await told(reader, ['a 1', 'resync', 'resync', 'a 9']);
});

test('a node that is down from the beginning is tried again, and told once', async () => {
  api.close('b', 'policy-agent');
  const reader = await read();
  await clock.advance(20_000);
  await told(reader, ['resync']);
  expect(api.asked.filter(({ node }) => node === 'b').length).toBeGreaterThan(3);
  expect(api.asked.filter(({ node }) => node === 'b').length).toBeLessThan(15);
  api.serve('b', 'policy-agent', (_, signal) => at('b').answers(1_000, signal));
  await clock.advance(15_000);
  at('b').tell(30_000);
  await told(reader, ['resync', 'resync', 'b 30000']);
});

test('lines of another version do not end it, and are told as missed once', async () => {
  const reader = await read();
  at('a').say({ time: 'now' });
  at('a').say({ time: 'then' });
  at('a').tell(1);
  await told(reader, ['resync', 'a 1']);
});

test('who comes back with the last id gets what fell between, and else is told to read anew', async () => {
  const first = await read();
  for (const ms of [1, 2, 3]) at('a').tell(ms);
  await told(first, ['a 1', 'a 2', 'a 3']);
  const [id = ''] = first.ids;
  await told(await read({}, id), ['a 2', 'a 3']);
  await told(await read({}, first.ids[2]), []);
  for (const unknown of ['', 'x', 'x.1', `${id.split('.')[0] ?? ''}.99`, `${id.split('.')[0] ?? ''}.-1`]) {
    await told(await read({}, unknown), ['resync']);
  }
  for (let ms = 4; ms < 1_100; ms++) at('a').tell(ms);
  await clock.advance(0);
  await told(await read({}, id), ['resync']);
});

test('a listener who does not read gets no more than so much, then resync', async () => {
  const stop = new AbortController();
  const events = hub.follow({}, undefined, stop.signal);
  const first = events.next();
  await clock.advance(0);
  at('a').tell(0);
  expect((await first).value).toMatchObject({ type: 'item' });
  for (let ms = 1; ms <= 1_500; ms++) at('a').tell(ms);
  await clock.advance(0);
  const types: string[] = [];
  at('a').tell(2_000);
  await clock.advance(0);
  for await (const event of events) {
    types.push(event.type === 'item' ? String(Date.parse(event.data.time) - START) : event.type);
    if (types.at(-1) === '2000') break;
  }
  expect(types[0]).toBe('resync');
  expect(types.length).toBeLessThan(1_000);
  expect(types.slice(1)).toEqual(types.slice(1).sort((x, y) => Number(x) - Number(y)));
  stop.abort();
});

test('a signal that has aborted, and one that aborts', async () => {
  const over = AbortSignal.abort();
  for await (const event of hub.follow({}, undefined, over)) throw new Error(JSON.stringify(event));
  expect(api.asked).toEqual([]);
  const reader = await read();
  await reader.leave();
  await told(reader, []);
});
