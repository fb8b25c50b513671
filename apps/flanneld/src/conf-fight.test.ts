import { expect, test } from 'vitest';
import { ConfFight } from './conf-fight.ts';

/** Who changes the file each `everyMs` for `forMs`, and is answered when that may be: how often it was. */
function answers(fight: ConfFight, everyMs: number, forMs: number): number {
  let count = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs += everyMs) {
    fight.changed(nowMs);
    if (fight.mayAnswer(nowMs)) count += 1;
  }
  return count;
}

test('20 changes a second: a few answers at once, then one in ten seconds, for as long as it lasts', () => {
  const fight = new ConfFight(0);
  expect(answers(fight, 50, 1_000)).toBe(5);
  expect(fight.isOn(1_000)).toBe(true);
  expect(answers(new ConfFight(0), 50, 600_000)).toBeLessThanOrEqual(5 + 60);
});

test('a change in ten seconds is no fight', () => {
  const fight = new ConfFight(0);
  expect(answers(fight, 10_000, 600_000)).toBe(60);
  expect(fight.isOn(600_000)).toBe(false);
});

test('it is over after a minute without a change, and the repairs are back', () => {
  const fight = new ConfFight(0);
  answers(fight, 50, 1_000);
  expect(fight.isOn(60_900)).toBe(true);
  expect(fight.isOn(61_000)).toBe(false);
  expect(fight.mayAnswer(61_000)).toBe(true);
});
