import { createFakeClock, type FakeClock } from '@canal/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { type Behaviour, FakeListWatch } from './fake-list-watch.ts';
import { reflect, type ReflectorOptions } from './reflector.ts';
import type { KubeObject, Parsed, StoreEvent } from './store.ts';
import { StoreError } from './store-error.ts';

const HOUR_MS = 3_600_000;

/** A consumer that keeps what it was told. */
class Follower {
  readonly state = new Map<string, string>();
  readonly events: StoreEvent<string>[] = [];
  readonly clock: FakeClock = createFakeClock();
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;
  /** Events are taken only while this is true. */
  reading = true;

  constructor(server: FakeListWatch, options: Partial<ReflectorOptions> = {}) {
    const deps = { listWatch: server, clock: this.clock, random: () => 0.5 };
    this.#done = this.#follow(reflect(deps, parseValue, this.#abort.signal, { pageSize: 2, ...options }));
  }

  /** Lets this much time go by, with all that happens in it. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  count(type: StoreEvent<string>['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async #follow(events: AsyncIterable<StoreEvent<string>>): Promise<void> {
    for await (const event of events) {
      while (!this.reading) await new Promise((resolve) => setImmediate(resolve));
      this.events.push(event);
      if (event.type === 'put')
        this.state.set(event.key, event.parsed.ok ? event.parsed.value : `! ${event.parsed.error}`);
      if (event.type === 'delete') this.state.delete(event.key);
    }
  }
}

function parseValue(object: KubeObject): Parsed<string> {
  const { value } = object;
  if (value === 'throw') throw new Error('a defect');
  return typeof value === 'string' && value !== 'bad' ? { ok: true, value } : { ok: false, error: 'bad value' };
}

function truth(server: FakeListWatch): Map<string, string> {
  return new Map([...server.objects].map(([key, entry]) => [key, entry.value ?? '']));
}

function withObjects(count: number, plan: readonly Behaviour[] = []): FakeListWatch {
  const server = new FakeListWatch(plan);
  for (let index = 0; index < count; index += 1) server.put(`o${String(index)}`, '1');
  return server;
}

describe('list and watch', () => {
  test('everything that exists comes before the one in-sync mark, then what changes', async () => {
    const server = withObjects(5);
    const follower = new Follower(server);
    await follower.pass(0);
    const told = follower.events.map((event) => event.type).filter((type) => type !== 'connection');
    expect(told).toEqual(['put', 'put', 'put', 'put', 'put', 'in-sync']);
    server.put('o1', '2');
    server.delete('o2');
    await follower.pass(0);
    expect(follower.state).toEqual(truth(server));
    expect(follower.count('in-sync')).toBe(1);
    expect(server.lists, 'pages of two').toBe(3);
    await follower.stop();
    expect(server.open).toBe(0);
  });

  test('an empty store is in sync too', async () => {
    const follower = new Follower(new FakeListWatch());
    await follower.pass(0);
    expect(follower.count('in-sync')).toBe(1);
    await follower.stop();
  });

  test('what cannot be parsed stays known by its key, also when the parser throws', async () => {
    const server = new FakeListWatch();
    server.put('a', 'bad');
    server.put('b', 'throw');
    const follower = new Follower(server);
    await follower.pass(0);
    expect(follower.state).toEqual(
      new Map([
        ['a', '! bad value'],
        ['b', '! parser failed: a defect'],
      ]),
    );
    await follower.stop();
  });

  test('leaving the loop ends the connection', async () => {
    const server = withObjects(1);
    const deps = { listWatch: server, clock: createFakeClock(), random: () => 0.5 };
    for await (const event of reflect(deps, parseValue, new AbortController().signal))
      if (event.type === 'in-sync') break;
    await expect.poll(() => server.open).toBe(0);
  });

  test('an aborted signal gives nothing at all', async () => {
    const server = withObjects(1);
    const deps = { listWatch: server, clock: createFakeClock(), random: () => 0.5 };
    for await (const event of reflect(deps, parseValue, AbortSignal.abort())) expect(event).toBeUndefined();
    expect(server.lists).toBe(0);
  });
});

describe('a cut watch', () => {
  test('is resumed where it ended, without a list', async () => {
    const server = withObjects(1, [{ type: 'bookmarks' }, { type: 'cut', after: 1 }]);
    const follower = new Follower(server);
    await follower.pass(0);
    const { lists } = server;
    server.put('o1', '1');
    server.put('o2', '1');
    await follower.pass(5_000);
    expect(follower.state).toEqual(truth(server));
    expect(server.lists).toBe(lists);
    expect(server.watchedFrom, 'behind the one event that came through').toEqual([2, 3]);
    expect(follower.events.filter((event) => event.type === 'connection')).toMatchObject([
      { connected: true },
      { connected: false, error: 'cut' },
      { connected: true },
    ]);
    await follower.stop();
  });

  test('that falls silent is given up after the idle time, and resumed', async () => {
    const server = withObjects(1, [{ type: 'bookmarks' }, { type: 'hang', after: 0 }]);
    const follower = new Follower(server, { idleTimeoutMs: 60_000 });
    await follower.pass(0);
    server.put('o1', '1');
    await follower.pass(59_000);
    expect(follower.state.has('o1'), 'still waiting').toBe(false);
    await follower.pass(10_000);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });

  test('is kept as long as something comes', async () => {
    const server = withObjects(1);
    const follower = new Follower(server, { idleTimeoutMs: 60_000 });
    for (let round = 0; round < 10; round += 1) {
      await follower.pass(40_000);
      server.put('o0', String(round));
    }
    expect(server.watchedFrom).toHaveLength(1);
    await follower.stop();
  });

  test('a list that falls silent is given up too', async () => {
    const server = withObjects(3, [{ type: 'hang', after: 1 }]);
    const follower = new Follower(server, { idleTimeoutMs: 60_000 });
    await follower.pass(70_000);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });
});

describe('a page that is cut', () => {
  const cuts = (count: number): Behaviour[] => Array.from({ length: count }, () => ({ type: 'cut', after: 1 }));

  test('is asked for again by itself', async () => {
    const server = withObjects(5, [{ type: 'bookmarks' }, ...cuts(3)]);
    const follower = new Follower(server);
    await follower.pass(10_000);
    expect(follower.state).toEqual(truth(server));
    expect(server.lists, 'three pages and three tries').toBe(6);
    expect(follower.events.some((event) => event.type === 'connection' && !event.connected)).toBe(false);
    await follower.stop();
  });

  test('again and again: the list begins anew, and the connection counts as lost', async () => {
    const server = withObjects(5, [{ type: 'bookmarks' }, ...cuts(4)]);
    const follower = new Follower(server, { pageTries: 4 });
    await follower.pass(10_000);
    expect(follower.state).toEqual(truth(server));
    expect(server.lists).toBe(8);
    expect(follower.events.filter((event) => event.type === 'connection' && !event.connected)).toHaveLength(1);
    await follower.stop();
  });
});

describe('a version that is gone', () => {
  test.each<{ name: string; plan: Behaviour[] }>([
    { name: 'as an answer', plan: [{ type: 'bookmarks' }, { type: 'refuse', status: 410 }] },
    { name: 'as an event', plan: [{ type: 'bookmarks' }, { type: 'error-event', after: 0, code: 410 }] },
    { name: 'of a continued list', plan: [{ type: 'bookmarks' }, { type: 'refuse', status: 410 }] },
  ])('$name leads to a list, told as puts and deletes', async ({ plan }) => {
    const server = withObjects(2, plan);
    const follower = new Follower(server);
    await follower.pass(0);
    server.put('o0', '2');
    server.delete('o1');
    await follower.pass(60_000);
    expect(follower.state).toEqual(truth(server));
    expect(follower.count('in-sync'), 'never taken back, never repeated').toBe(1);
    await follower.stop();
  });

  test('between two pages: the list begins anew, in one answer', async () => {
    const server = withObjects(5, [{ type: 'bookmarks' }, { type: 'refuse', status: 410 }]);
    const follower = new Follower(server);
    await follower.pass(0);
    expect(follower.count('put'), 'the first page is not told twice').toBe(5);
    expect(follower.state).toEqual(truth(server));
    expect(server.lists).toBe(3);
    await follower.stop();
  });

  test('what was deleted between the pages of a list that began anew is not taken for there', async () => {
    const server = withObjects(5, [{ type: 'bookmarks' }, { type: 'refuse', status: 410 }]);
    server.beforePage = () => {
      server.delete('o0');
    };
    const follower = new Follower(server);
    await follower.pass(0);
    expect(follower.count('in-sync')).toBe(1);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });

  test('a list tells only what changed', async () => {
    const server = withObjects(3, [
      { type: 'bookmarks' },
      { type: 'bookmarks' },
      { type: 'error-event', after: 0, code: 410 },
    ]);
    const follower = new Follower(server);
    await follower.pass(60_000);
    expect(server.lists).toBeGreaterThan(2);
    expect(follower.count('put')).toBe(3);
    await follower.stop();
  });
});

describe('a server that breaks its own rules', () => {
  test('and goes back in its history is listed anew', async () => {
    const server = withObjects(1, [{ type: 'bookmarks' }, { type: 'reorder' }]);
    const follower = new Follower(server);
    await follower.pass(0);
    server.put('a', '1');
    server.delete('a');
    await follower.pass(60_000);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });

  test('and loses an event is found out by the regular list', async () => {
    const server = withObjects(1, [{ type: 'bookmarks' }, { type: 'lose', index: 0 }]);
    const follower = new Follower(server, { relistMs: HOUR_MS });
    await follower.pass(0);
    server.put('lost', '1');
    server.put('b', '1');
    await follower.pass(HOUR_MS / 2);
    expect(follower.state.has('lost'), 'nothing else can tell').toBe(false);
    await follower.pass(2 * HOUR_MS);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });
});

describe('a server that was restored', () => {
  test('is listed, and its versions are not taken for those of before', async () => {
    const server = withObjects(3);
    const follower = new Follower(server);
    await follower.pass(0);
    // The same names at the same versions, with other contents.
    server.restore({ o0: 'other', o1: 'other' });
    await follower.pass(30 * 60_000);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });
});

describe('waits', () => {
  test('grow while a server refuses, and stay below the maximum', async () => {
    const refusals = Array.from({ length: 40 }, (): Behaviour => ({ type: 'refuse', status: 500 }));
    const server = withObjects(1, refusals);
    const follower = new Follower(server);
    await follower.pass(10_000);
    const early = server.lists;
    expect(early).toBeGreaterThan(3);
    await follower.pass(120_000);
    // Half of 30 s each, as the jitter stands in this test.
    expect(server.lists - early).toBeLessThan(12);
    await follower.pass(HOUR_MS / 4);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });

  test('a server that accepts and cuts at once is not hammered', async () => {
    const cuts = Array.from({ length: 1_000 }, (): Behaviour => ({ type: 'cut', after: 0 }));
    const server = new FakeListWatch([{ type: 'bookmarks' }, ...cuts]);
    const follower = new Follower(server);
    await follower.pass(60_000);
    expect(server.watchedFrom.length).toBeLessThan(20);
    await follower.stop();
  });

  test('for a server that is gone are not counted against the one that is back', async () => {
    const server = withObjects(1, [{ type: 'cut', after: 0 }]);
    const follower = new Follower(server);
    await follower.pass(1_000);
    const { watch } = server;
    server.watch = () => Promise.reject(new StoreError('unavailable', 'connection refused'));
    server.put('o0', '2');
    await follower.pass(HOUR_MS / 4);
    server.compact();
    server.watch = watch;
    // One wait of 15 s for the server, then the 410, then a list with hardly a wait.
    await follower.pass(16_000);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });

  test('for a server that cannot be reached grow to 5 s, so that an agent is back soon after it', async () => {
    const server = withObjects(1);
    const { listPage } = server;
    let tries = 0;
    server.listPage = () => {
      tries += 1;
      return Promise.reject(new StoreError('unavailable', 'connection refused', { unreached: true }));
    };
    const follower = new Follower(server);
    await follower.pass(HOUR_MS / 4);
    // Half of 5 s each, as the jitter stands in this test.
    expect(tries).toBeGreaterThan(300);
    expect(tries).toBeLessThan(380);
    server.listPage = listPage;
    await follower.pass(2_500);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });

  test('are as long as the server asks, when it asks', async () => {
    const server = withObjects(1);
    const { listPage } = server;
    let asked = false;
    server.listPage = (request, onObject, signal) => {
      if (asked) return listPage.call(server, request, onObject, signal);
      asked = true;
      return Promise.reject(new StoreError('unavailable', 'too many requests', { status: 429, retryAfterMs: 20_000 }));
    };
    const follower = new Follower(server);
    await follower.pass(19_000);
    expect(follower.state.size).toBe(0);
    await follower.pass(2_000);
    expect(follower.state).toEqual(truth(server));
    await follower.stop();
  });
});

describe('a slow consumer', () => {
  test('gets the latest value of each key, and nothing of what came and went meanwhile', async () => {
    const server = withObjects(1);
    const follower = new Follower(server);
    await follower.pass(0);
    follower.reading = false;
    server.put('first', '1');
    await follower.pass(0);
    for (let round = 0; round < 100; round += 1) {
      server.put('o0', String(round));
      server.put(`short-lived-${String(round)}`, '1');
      await follower.pass(0);
      server.delete(`short-lived-${String(round)}`);
      await follower.pass(0);
    }
    const before = follower.events.length;
    follower.reading = true;
    await follower.pass(0);
    expect(follower.state).toEqual(truth(server));
    expect(follower.events.length - before).toBeLessThanOrEqual(3);
    await follower.stop();
  });
});

describe('whatever the server does', () => {
  const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
    fc.record({
      type: fc.constant('refuse' as const),
      status: fc.constantFrom(410 as const, 500 as const, 504 as const),
    }),
    fc.record({ type: fc.constant('cut' as const), after: fc.nat(4) }),
    fc.record({ type: fc.constant('hang' as const), after: fc.nat(3) }),
    fc.record({
      type: fc.constant('error-event' as const),
      after: fc.nat(3),
      code: fc.constantFrom(410 as const, 500 as const),
    }),
    fc.record({ type: fc.constant('lose' as const), index: fc.nat(2) }),
    fc.constantFrom<Behaviour>({ type: 'duplicate' }, { type: 'reorder' }, { type: 'bookmarks' }),
  );
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('put' as const), key: fc.nat(5), value: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), key: fc.nat(5) }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 100, 5_000, 200_000) }),
    },
    { weight: 1, arbitrary: fc.constant({ do: 'compact' as const }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), on: fc.boolean() }) },
  );

  test('what is known becomes what the list shows, with one in-sync mark', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(behaviour, { maxLength: 12 }),
        fc.array(step, { maxLength: 30 }),
        async (plan, steps) => {
          const server = withObjects(3, plan);
          const follower = new Follower(server, { relistMs: HOUR_MS });
          for (const action of steps) {
            if (action.do === 'put') server.put(`o${String(action.key)}`, String(action.value));
            else if (action.do === 'delete') server.delete(`o${String(action.key)}`);
            else if (action.do === 'compact') server.compact();
            else if (action.do === 'pause') follower.reading = !action.on;
            else await follower.pass(action.ms);
          }
          follower.reading = true;
          // Long enough for the regular list, which finds what a server lost without a trace.
          for (let quarter = 0; quarter < 10; quarter += 1) await follower.pass(HOUR_MS / 4);
          expect(follower.state).toEqual(truth(server));
          expect(follower.count('in-sync')).toBe(1);
          await follower.stop();
          expect(server.open).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
