import { createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { keepMemorySmall } from './memory-upkeep.ts';

test('collects when memory is high, and not all the time', async () => {
  const clock = createFakeClock();
  const stop = new AbortController();
  let resident = 80e6;
  const collected: number[] = [];
  const deps = { clock, residentBytes: () => resident, collect: () => void collected.push(clock.nowMs()) };
  const running = keepMemorySmall(deps, stop.signal);
  await clock.advance(60_000);
  expect(collected).toEqual([]);
  resident = 140e6;
  await clock.advance(20_000);
  expect(collected.length).toBeGreaterThan(1);
  const [first = 0, second = 0] = collected;
  expect(second - first).toBeGreaterThanOrEqual(5_000);
  stop.abort();
  await running;
  expect(clock.sleeping).toBe(0);
});
