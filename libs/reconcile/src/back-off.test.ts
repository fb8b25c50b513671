import { expect, test } from 'vitest';
import { backOffMs } from './back-off.ts';

test.each([
  [1, 200],
  [2, 400],
  [3, 800],
  [8, 25_600],
  [9, 30_000],
  [10_000, 30_000],
])('after %i failures in a row: %i ms', (failures, expected) => {
  expect(backOffMs(failures, 200, 30_000)).toBe(expected);
});
