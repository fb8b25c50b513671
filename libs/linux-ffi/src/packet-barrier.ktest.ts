import { expect, test } from 'vitest';
import { awaitPacketsInFlight } from './packet-barrier.ts';

test('the barrier is a wait that the kernel grants, in a time that an event loop can bear', () => {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    expect(awaitPacketsInFlight()).toBe(true);
    return performance.now() - start;
  });
  // The shortest: the others may have waited for a processor.
  expect(Math.min(...times)).toBeGreaterThan(0.05);
  expect(Math.min(...times)).toBeLessThan(200);
});
