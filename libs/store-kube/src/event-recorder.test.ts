import { type KubeObject, type Store, StoreError } from '@canal/store-port';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { createEventRecorder, nodeSubject } from './event-recorder.ts';

const REFUSED = new StoreError('forbidden', 'no');
const AWAY = new StoreError('unavailable', 'away');

function start(nodeName = 'n') {
  const clock = createFakeClock();
  const stop = new AbortController();
  const world = { written: [] as KubeObject[], tries: 0, error: undefined as StoreError | undefined };
  const store = {
    create: (_: unknown, object: KubeObject) => {
      world.tries++;
      if (world.error !== undefined) return Promise.reject(world.error);
      world.written.push(object);
      return Promise.resolve(object);
    },
  } as unknown as Store;
  const log = createCapturedLogger();
  const more = { component: 'canal-test', nodeName, timeMs: () => clock.nowMs(), random: () => 0.5 };
  const recorder = createEventRecorder({ store, clock, log, signal: stop.signal, ...more });
  const emit = (message: string) => {
    recorder.about(nodeSubject(nodeName)).emit({ type: 'Warning', reason: 'Broken', message });
  };
  return { clock, stop, world, log, emit };
}

test('what begins while the API server is away is told when it is back, with the time at which it began', async () => {
  const { clock, world, emit } = start();
  world.error = AWAY;
  emit('a');
  await clock.advance(600_000);
  expect(world.written).toEqual([]);
  // Seldom: thousands of nodes do it.
  expect(world.tries).toBeGreaterThan(3);
  expect(world.tries).toBeLessThan(20);
  world.error = undefined;
  await clock.advance(180_000);
  expect(world.written).toMatchObject([{ message: 'a', firstTimestamp: '1970-01-01T00:00:00Z', count: 1 }]);
  const { tries } = world;
  await clock.advance(3_600_000);
  expect(world.tries).toBe(tries);
});

test('what the API server refuses is not told again, and what nobody wanted for an hour is given up', async () => {
  const { clock, world, log, emit } = start();
  world.error = REFUSED;
  emit('a');
  await clock.advance(600_000);
  expect(world.tries).toBe(1);
  world.error = AWAY;
  emit('b');
  await clock.advance(4_000_000);
  const { tries } = world;
  await clock.advance(4_000_000);
  expect(world.tries).toBe(tries);
  expect(log.messages('debug')).toEqual(['event not written', 'event not written']);
});

/** What the API server takes for a name: RFC 1123, 253 characters. */
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

test.each([
  { name: 'short', nodeName: 'n' },
  { name: 'the longest', nodeName: 'n'.repeat(253) },
  ...Array.from({ length: 25 }, (_, index) => ({
    name: `the longest, with other signs from ${index + 225}`,
    nodeName: 'n'.repeat(225 + index) + '--a.b-c--'.repeat(4).slice(0, 27 - index) + 'n',
  })),
])('the name of an Event can be one, however long that of the node is: $name', async ({ nodeName }) => {
  const { clock, world, emit } = start(nodeName);
  await clock.advance(Date.UTC(2100, 0));
  emit('a');
  emit('b');
  await clock.advance(0);
  const names = world.written.map(({ metadata }) => metadata.name);
  expect(names).toEqual([expect.stringMatching(SUBDOMAIN), expect.stringMatching(SUBDOMAIN)]);
  expect(new Set(names).size).toBe(2);
  expect(names[0]?.slice(0, 200)).toBe(`${nodeName}.${Date.UTC(2100, 0).toString(16)}000`.slice(0, 200));
});

test('nothing waits for an agent that ends', async () => {
  const { clock, stop, world, emit } = start();
  world.error = AWAY;
  emit('a');
  await clock.advance(0);
  expect(clock.sleeping).toBe(1);
  stop.abort();
  await clock.advance(0);
  expect(clock.sleeping).toBe(0);
});
