import { expect, test } from 'vitest';
import { median, quantile, spread } from './statistics.ts';

test('quantiles are nearest ranks', () => {
  const samples = [5, 1, 4, 2, 3];
  expect(median(samples)).toBe(3);
  expect(quantile(samples, 0.99)).toBe(5);
  expect(quantile(samples, 0)).toBe(1);
  expect(() => median([])).toThrow(RangeError);
});

test('a spread names the swing between rounds', () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
});
