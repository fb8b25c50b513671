import { KernelError } from '@canal/kernel-port';
import type { RuleDelta } from '@canal/rules-ast';
import { createPrometheusMetrics } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock, type FakeClock } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { RuleRunner } from './rule-runner.ts';

const DELTA: RuleDelta = {
  newSets: [],
  newChains: [],
  members: new Map(),
  endpoints: [],
  removedEndpoints: [],
  removedChains: [],
  removedSets: [],
};
const RESYNC_MS = 30_000;

let clock: FakeClock;
let stop: AbortController;
let running: Promise<void>;
let runner: RuleRunner;
/** What was asked of the kernel, with the time. */
let calls: string[];
let failures: Record<'apply' | 'resync' | 'setGuard', number>;
let dirty: boolean;
let guardDirty: boolean;
let drift: number;
let repaired: number;

beforeEach(() => {
  clock = createFakeClock();
  stop = new AbortController();
  calls = [];
  failures = { apply: 0, resync: 0, setGuard: 0 };
  dirty = true;
  guardDirty = false;
  drift = 0;
  repaired = 0;
  runner = create();
  running = runner.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
});

function call(name: keyof typeof failures): Promise<void> {
  calls.push(`${clock.nowMs()} ${name}`);
  return failures[name]-- > 0 ? Promise.reject(new KernelError('io', 'planned')) : Promise.resolve();
}

function create(): RuleRunner {
  const view = {
    endpoints: () => [],
    chains: () => [],
    sets: () => [],
    members: () => [],
    memberCount: () => 0,
    keptCounters: () => new Set<string>(),
  };
  return new RuleRunner(
    {
      engine: {
        view,
        flush() {
          const delta = dirty ? DELTA : undefined;
          dirty = false;
          return delta;
        },
      },
      kernel: {
        apply: () => call('apply'),
        setGuard: () => call('setGuard'),
        async resync() {
          await call('resync');
          const writes = drift;
          drift = 0;
          return { writes, differences: writes > 0 ? ['a rule'] : [] };
        },
      },
      clock,
      log: createCapturedLogger(),
      metrics: createAgentMetrics(createPrometheusMetrics(), 'test'),
      timeMs: () => 0,
      settle() {
        const changed = guardDirty;
        guardDirty = false;
        return changed;
      },
      guard: () => ({ nodeAddresses: [], tunnelPorts: [], allowSample: 0 }),
      onFlushed: () => undefined,
      onApplied: () => undefined,
      onResynced: (differences) => (repaired += differences.length),
    },
    { resyncIntervalMs: RESYNC_MS },
  );
}

/** Something new for the kernel. */
function change(): void {
  dirty = true;
  runner.changed('Pod');
}

async function openAndSettle(): Promise<void> {
  runner.open();
  await clock.advance(10);
  calls.length = 0;
}

test('nothing before open; then one comparison, and changes alone from there', async () => {
  change();
  runner.kernelChanged();
  await clock.advance(60_000);
  expect(calls).toEqual([]);
  expect(runner.alive).toBe(true);
  runner.open();
  await clock.advance(10);
  expect(calls).toEqual(['60000 resync']);
  change();
  await clock.advance(10);
  expect(calls.slice(1)).toEqual(['60010 apply']);
  guardDirty = true;
  runner.changed('Node');
  await clock.advance(10);
  expect(calls.slice(2)).toEqual(['60020 setGuard']);
  runner.changed('Node');
  await clock.advance(10);
  expect(calls).toHaveLength(3);
});

test('a thousand changes at once are a few transactions', async () => {
  await openAndSettle();
  for (let count = 0; count < 1_000; count++) change();
  await clock.advance(10);
  expect(calls.length).toBeLessThan(3);
});

test('the kernel is compared from time to time', async () => {
  await openAndSettle();
  await clock.advance(3 * RESYNC_MS);
  expect(calls.map((line) => line.split(' ')[1])).toEqual(['resync', 'resync', 'resync']);
});

test('others’ changes: repaired at once, and within a second when they do not end', async () => {
  await openAndSettle();
  await clock.advance(1_000);
  drift = 1;
  runner.kernelChanged();
  await clock.advance(1);
  expect(calls).toEqual(['1010 resync']);
  expect(repaired).toBe(1);
  calls.length = 0;
  for (let count = 0; count < 100; count++) {
    drift = 1;
    runner.kernelChanged();
    await clock.advance(10);
  }
  expect(calls.length).toBeLessThanOrEqual(4);
  await clock.advance(500);
  expect(drift).toBe(0);
  calls.length = 0;
  for (let count = 0; count < 1_000; count++) {
    drift = 1;
    runner.kernelChanged();
    await clock.advance(10);
  }
  expect(calls.length).toBeLessThanOrEqual(22);
  expect(calls.length).toBeGreaterThanOrEqual(18);
  // Peace: the next one is answered at once again.
  await clock.advance(12_000);
  calls.length = 0;
  drift = 1;
  runner.kernelChanged();
  await clock.advance(1);
  expect(calls).toHaveLength(1);
});

test('a change that comes with a comparison is no repair', async () => {
  await openAndSettle();
  change();
  runner.kernelChanged();
  await clock.advance(300);
  expect(calls.map((line) => line.split(' ')[1])).toContain('apply');
  expect(repaired).toBe(0);
});

test('a failed change: compared in the same turn, and whoever waits does not notice', async () => {
  await openAndSettle();
  failures.apply = 1;
  dirty = true;
  const waiting = runner.applied();
  await clock.advance(10);
  await waiting;
  expect(calls).toEqual(['10 apply', '10 resync']);
  expect(runner.failing).toBeUndefined();
});

test('a kernel that refuses: tried at a growing pace whatever comes, then everything that waited is done', async () => {
  await openAndSettle();
  failures.apply = 1;
  failures.resync = 4;
  dirty = true;
  const waiting = runner.applied();
  const outcome = waiting.then(
    () => 'done',
    (error: unknown) => (error as Error).message,
  );
  await clock.advance(10);
  expect(await outcome).toBe('planned');
  const sinceMs = runner.failing?.sinceMs;
  for (let count = 0; count < 50; count++) {
    change();
    await clock.advance(10);
  }
  expect(runner.failing?.sinceMs).toBe(sinceMs);
  expect(sinceMs).toBe(10);
  await clock.advance(300);
  const late = runner.applied();
  await clock.advance(3_000);
  await late;
  expect(runner.failing).toBeUndefined();
  const times = calls.filter((line) => line.endsWith('resync')).map((line) => Number(line.split(' ')[0]));
  expect(times).toEqual([10, 110, 310, 710, 1_510]);
});

test('what comes during the turn that ends the failure is not left behind', async () => {
  await openAndSettle();
  failures.apply = 1;
  failures.resync = 1;
  change();
  await clock.advance(10);
  expect(runner.failing).toBeDefined();
  await clock.advance(89);
  const late = clock.sleep(1).then(() => runner.applied());
  await clock.advance(50);
  await late;
});
