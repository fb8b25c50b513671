import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { createReconciler, type Reconciler, type TurnOutcome } from './reconciler.ts';

type Item = 'network' | 'rules' | 'lease';

/** A loop whose turns are written down with the time they began at. */
class Rig {
  readonly clock = createFakeClock();
  readonly log = createCapturedLogger();
  readonly turns: string[] = [];
  readonly stop = new AbortController();
  failing = new Map<Item, string>();
  turn: (() => Promise<void>) | undefined;
  /** What the next turns give, whatever they were asked for. */
  outcome: ReadonlyMap<Item, Error> | undefined;
  readonly loop: Reconciler<Item>;

  constructor() {
    this.loop = createReconciler<Item>(
      { clock: this.clock, log: this.log },
      {
        items: ['network', 'rules', 'lease'],
        minIntervalMs: 100,
        resyncIntervalMs: 30_000,
        retryFirstMs: 500,
        retryLongestMs: 4_000,
        turn: async (items, { full }): Promise<TurnOutcome<Item>> => {
          this.turns.push(`${this.clock.nowMs()}${full ? ' full' : ''} ${[...items].join(' ')}`);
          await this.turn?.();
          if (this.outcome !== undefined) return { failures: this.outcome };
          const failures = new Map(
            [...this.failing].filter(([item]) => items.has(item)).map(([k, v]) => [k, new Error(v)]),
          );
          return { failures };
        },
      },
    );
  }

  start(): void {
    void this.loop.run(this.stop.signal);
  }
}

const rigs: Rig[] = [];
function start(prepare?: (rig: Rig) => void): Rig {
  const rig = new Rig();
  prepare?.(rig);
  rigs.push(rig);
  rig.start();
  return rig;
}
afterEach(() => {
  for (const rig of rigs.splice(0)) rig.stop.abort();
});

describe('turns', () => {
  test('the first is of everything, at once; then none until the resync', async () => {
    const rig = start();
    await rig.clock.advance(29_999);
    expect(rig.turns).toEqual(['0 full network rules lease']);
    await rig.clock.advance(1);
    expect(rig.turns).toEqual(['0 full network rules lease', '30000 full network rules lease']);
  });

  test('an event makes a turn of its item at once when the last one is long ago', async () => {
    const rig = start();
    await rig.clock.advance(5_000);
    rig.loop.markDirty('rules');
    await rig.clock.advance(0);
    expect(rig.turns.at(-1)).toBe('5000 rules');
  });

  test('ten thousand events in ten milliseconds are two turns', async () => {
    const rig = start();
    await rig.clock.advance(5_000);
    for (let tick = 0; tick < 10; tick++) {
      for (let event = 0; event < 1_000; event++) rig.loop.markDirty('network');
      await rig.clock.advance(1);
    }
    await rig.clock.advance(1_000);
    expect(rig.turns.slice(1)).toEqual(['5000 network', '5100 network']);
  });

  test('what is marked while a turn runs is done after it, the minimum interval kept', async () => {
    let once = true;
    const rig = start((fresh) => {
      fresh.turn = () => {
        if (once) fresh.loop.markDirty('lease');
        once = false;
        return Promise.resolve();
      };
    });
    await rig.clock.advance(1_000);
    expect(rig.turns).toEqual(['0 full network rules lease', '100 lease']);
  });

  test('lost events ask for everything', async () => {
    const rig = start();
    await rig.clock.advance(5_000);
    rig.loop.markAllDirty();
    await rig.clock.advance(30_000);
    expect(rig.turns.slice(1)).toEqual(['5000 full network rules lease', '35000 full network rules lease']);
  });

  test('the loop ends when asked to, also out of a sleep, and turns no more', async () => {
    const rig = new Rig();
    const ended = rig.loop.run(rig.stop.signal);
    await rig.clock.advance(1);
    rig.stop.abort();
    await ended;
    rig.loop.markDirty('network');
    await rig.clock.advance(60_000);
    expect(rig.turns).toHaveLength(1);
  });
});

describe('failures', () => {
  test('an item that fails stays dirty alone and is tried again after doubling delays, up to the longest', async () => {
    const rig = start((fresh) => fresh.failing.set('rules', 'no nft'));
    await rig.clock.advance(15_000);
    expect(rig.turns).toEqual([
      '0 full network rules lease',
      '500 rules',
      '1500 rules',
      '3500 rules',
      '7500 rules',
      '11500 rules',
    ]);
  });

  test('an item that a turn of others did along with them, and that failed, is tried again too', async () => {
    const rig = start();
    await rig.clock.advance(5_000);
    rig.outcome = new Map([['rules', new Error('busy')]]);
    rig.loop.markDirty('network');
    await rig.clock.advance(0);
    expect(rig.loop.health().failing).toMatchObject([{ item: 'rules', failures: 1 }]);
    rig.outcome = undefined;
    await rig.clock.advance(500);
    expect(rig.turns.slice(1)).toEqual(['5000 network', '5500 rules']);
    expect(rig.loop.health().inSync).toBe(true);
  });

  test('news on a failing item do not wait for its back-off', async () => {
    const rig = start((fresh) => fresh.failing.set('rules', 'no nft'));
    await rig.clock.advance(4_000);
    rig.loop.markDirty('rules');
    await rig.clock.advance(0);
    expect(rig.turns.at(-1)).toBe('4000 rules');
  });

  test('a turn that throws is the failure of its items, and the loop goes on', async () => {
    const rig = start((fresh) => (fresh.turn = () => Promise.reject(new Error('socket'))));
    await rig.clock.advance(0);
    expect(rig.loop.health().failing.map(({ item, error }) => `${item} ${error.message}`)).toEqual([
      'network socket',
      'rules socket',
      'lease socket',
    ]);
    rig.turn = undefined;
    await rig.clock.advance(500);
    expect(rig.loop.health()).toMatchObject({ failing: [], inSync: true });
  });

  test('the log tells the beginning, a change of the reason, and the end', async () => {
    const rig = start((fresh) => fresh.failing.set('rules', 'no nft'));
    await rig.clock.advance(4_000);
    rig.failing.set('rules', 'refused');
    await rig.clock.advance(8_000);
    rig.failing.clear();
    await rig.clock.advance(8_000);
    expect(rig.log.messages()).toEqual(['reconcile failed', 'reconcile failed', 'in sync']);
  });

  test('in sync is told once, and again after a failure', async () => {
    const rig = start();
    await rig.clock.advance(65_000);
    rig.failing.set('lease', 'gone');
    rig.loop.markDirty('lease');
    await rig.clock.advance(10);
    expect(rig.loop.health()).toMatchObject({ inSync: false, everInSync: true });
    rig.failing.clear();
    await rig.clock.advance(1_000);
    expect(rig.log.messages()).toEqual(['in sync', 'reconcile failed', 'in sync again']);
  });
});

describe('health', () => {
  test('not in sync before the first turn', () => {
    expect(new Rig().loop.health()).toMatchObject({ turns: 0, inSync: false, everInSync: false, alive: true });
  });

  test('a loop that sleeps is alive; one stuck in a turn is not', async () => {
    const rig = start();
    await rig.clock.advance(300_000);
    expect(rig.loop.health().alive).toBe(true);
    rig.turn = () => new Promise<void>(() => undefined);
    rig.loop.markDirty('network');
    // The turn begins when the minimum interval is over.
    await rig.clock.advance(100 + 60_000);
    expect(rig.loop.health().alive).toBe(true);
    await rig.clock.advance(1);
    expect(rig.loop.health().alive).toBe(false);
  });
});
