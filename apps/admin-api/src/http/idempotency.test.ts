import { createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { IdempotencyKeys, type IdempotentRequest, type KeptAnswer } from './idempotency.ts';

const request = (key: string): IdempotentRequest => ({
  user: 'u',
  key,
  method: 'POST',
  url: '/a',
  body: Buffer.from('{}'),
});
const answer = (text: string, status = 200): KeptAnswer => ({ status, headers: {}, text });

test('answers are bounded by number and by size, the oldest go first', async () => {
  const keys = new IdempotencyKeys(createFakeClock());
  for (let index = 0; index < 1100; index++)
    await keys.once(request(`k${index}`), () => Promise.resolve(answer('small')));
  expect(keys.size).toBe(1000);
  const big = 'x'.repeat(1 << 20);
  for (let index = 0; index < 20; index++) await keys.once(request(`b${index}`), () => Promise.resolve(answer(big)));
  expect(keys.bytes).toBeLessThanOrEqual(8 << 20);
  expect(keys.size).toBeLessThanOrEqual(8);
  const again = (key: string) => keys.once(request(key), () => Promise.resolve(answer('anew')));
  expect((await again('b19')).text).toBe(big);
  expect((await again('k0')).text).toBe('anew');
});

test('an answer of a fault, and one that is too big, is not kept', async () => {
  const keys = new IdempotencyKeys(createFakeClock());
  await keys.once(request('a'), () => Promise.resolve(answer('', 503)));
  await keys.once(request('b'), () => Promise.resolve(answer('x'.repeat(3 << 20))));
  expect([keys.size, keys.bytes]).toEqual([0, 0]);
});

test('when the first of those who wait fails, the next does it', async () => {
  const keys = new IdempotencyKeys(createFakeClock());
  let calls = 0;
  const work = () => (++calls === 1 ? Promise.reject(new Error('first')) : Promise.resolve(answer(`${calls}`)));
  const results = await Promise.allSettled([1, 2, 3].map(() => keys.once(request('a'), work)));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect(calls).toBe(2);
});

test('parts of a request cannot be shifted into one another', async () => {
  const keys = new IdempotencyKeys(createFakeClock());
  await keys.once({ ...request('k'), url: '/a', body: Buffer.from('b') }, () => Promise.resolve(answer('1')));
  const shifted = { ...request('k'), url: '/ab', body: Buffer.from('') };
  await expect(keys.once(shifted, () => Promise.resolve(answer('2')))).rejects.toMatchObject({
    problem: 'idempotency-mismatch',
  });
});
