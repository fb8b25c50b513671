import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

test('so many at once, then as time goes', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 });
  const taken = (nowMs: number): number => [1, 2, 3, 4, 5].filter(() => bucket.take(nowMs)).length;
  expect(taken(1000)).toBe(3);
  expect(taken(1050)).toBe(0);
  expect(taken(1100)).toBe(1);
  expect(taken(1350)).toBe(2);
  expect(taken(60_000)).toBe(3);
});

test('never more than the burst and what the time gives', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(50), { maxLength: 200 }),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1, max: 20 }),
      (gaps, perSecond, burst) => {
        const bucket = new TokenBucket({ perSecond, burst });
        let now = 0;
        let taken = 0;
        for (const gap of gaps) {
          now += gap;
          if (bucket.take(now)) taken++;
          expect(taken).toBeLessThanOrEqual(burst + (now * perSecond) / 1000 + 1e-6);
        }
      },
    ),
  );
});
