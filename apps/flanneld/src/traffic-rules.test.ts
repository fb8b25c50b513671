import type { TrafficKernel } from '@canal/kernel-port';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { TrafficRules } from './traffic-rules.ts';

test('that the rules of others cannot be read is told once, and our own are in place all the same', async () => {
  const clock = createFakeClock();
  const log = createCapturedLogger();
  const kernel = {
    apply: () => Promise.resolve({ generation: '1', differences: [] }),
    findForwardDrops: () => Promise.reject(new Error('odd table')),
  } satisfies Partial<TrafficKernel>;
  const rules = new TrafficRules(
    { kernel: { ...unused, ...kernel }, clock, log },
    { masquerade: true, fullyRandom: true, forward: true },
  );
  for (let minute = 0; minute < 3; minute++) {
    expect(await rules.sync([])).toEqual({ outcome: 'same', differences: [], foreignDrops: [] });
    await clock.advance(60_000);
  }
  expect(log.messages()).toEqual(['rules of others cannot be read for drops']);
});

function never(): never {
  throw new Error('not to be called');
}

const unused: TrafficKernel = {
  compare: never,
  apply: never,
  remove: never,
  monitor: never,
  findForwardDrops: never,
  close: never,
};
