import { expect, test } from 'vitest';
import { createFakeClock } from './fake-clock.ts';

test('sleepers wake in the order of their times, and time stands at each one', async () => {
  const clock = createFakeClock();
  const woken: [string, number][] = [];
  const sleep = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms);
    woken.push([name, clock.nowMs()]);
  };
  void sleep('late', 30);
  void sleep('early', 10);
  await clock.advance(30);
  expect(woken).toEqual([
    ['early', 10],
    ['late', 30],
  ]);
});

test('a loop that sleeps again is woken again within one advance', async () => {
  const clock = createFakeClock(1000);
  let turns = 0;
  const loop = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(10);
      turns++;
    }
  };
  void loop();
  await clock.advance(35);
  expect([turns, clock.nowMs(), clock.sleeping]).toEqual([3, 1035, 1]);
});

test('aborting ends a sleep with the reason of the signal', async () => {
  const clock = createFakeClock();
  const abort = new AbortController();
  const sleep = clock.sleep(10, abort.signal);
  abort.abort(new Error('enough'));
  await expect(sleep).rejects.toThrow('enough');
  expect(clock.sleeping).toBe(0);
  await expect(clock.sleep(10, abort.signal)).rejects.toThrow('enough');
});
