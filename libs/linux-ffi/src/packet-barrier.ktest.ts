import { expect, test } from 'vitest';
import { awaitPacketsInFlight } from './packet-barrier.ts';

test('the barrier is a wait that the kernel grants, in a time that an event loop can bear', () => {
  const start = performance.now();
  for (let round = 0; round < 5; round++) expect(awaitPacketsInFlight()).toBe(true);
  const each = (performance.now() - start) / 5;
  expect(each).toBeGreaterThan(0.05);
  expect(each).toBeLessThan(200);
});
