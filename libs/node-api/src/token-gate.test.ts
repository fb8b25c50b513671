import { createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { createTokenGate } from './token-gate.ts';

function gate(review: (token: string, signal: AbortSignal) => Promise<boolean>) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const authenticate = createTokenGate({
    clock,
    review: (token, signal) => {
      asked.push(token);
      return review(token, signal);
    },
  });
  return { clock, asked, authenticate: (token: string, address = '10.0.0.1') => authenticate(token, address) };
}

test.each([true, false])('an answer (%s) holds for ten seconds and no longer', async (answer) => {
  const { clock, asked, authenticate } = gate(() => Promise.resolve(answer));
  expect(await authenticate('a')).toBe(answer);
  await clock.advance(9_999);
  expect(await authenticate('a')).toBe(answer);
  expect(asked).toEqual(['a']);
  await clock.advance(1);
  expect(await authenticate('a')).toBe(answer);
  expect(asked).toEqual(['a', 'a']);
  expect(clock.sleeping).toBe(0);
});

test('a token that is taken away is refused after that', async () => {
  let isGood = true;
  const { clock, authenticate } = gate(() => Promise.resolve(isGood));
  expect(await authenticate('a')).toBe(true);
  isGood = false;
  await clock.advance(10_000);
  expect(await authenticate('a')).toBe(false);
});

test('of many who come with it at once, one is asked for', async () => {
  const { asked, authenticate } = gate(() => Promise.resolve(true));
  const answers = await Promise.all(Array.from({ length: 100 }, () => authenticate('a')));
  expect(new Set(answers)).toEqual(new Set([true]));
  expect(asked).toEqual(['a']);
});

test.each([
  { name: 'fails', review: () => Promise.reject(new Error('503')) },
  {
    name: 'throws',
    review: () => {
      throw new Error('broken');
    },
  },
])('a review that $name lets nobody in, and the next one asks anew', async ({ review }) => {
  let fails = true;
  const { asked, authenticate } = gate(() => (fails ? review() : Promise.resolve(true)));
  expect(await authenticate('a')).toBe('unavailable');
  fails = false;
  expect(await authenticate('a')).toBe(true);
  expect(asked).toHaveLength(2);
});

test('a review that takes too long is ended', async () => {
  let ended = false;
  const { clock, authenticate } = gate(async (_token, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    ended = true;
    return true;
  });
  const answer = authenticate('a');
  await clock.advance(5_000);
  expect(await answer).toBe('unavailable');
  expect(ended).toBe(true);
});

test('tokens of strangers keep neither the API server busy nor others out', async () => {
  const held: ((answer: boolean) => void)[] = [];
  const { clock, asked, authenticate } = gate((token) =>
    token === 'good' ? Promise.resolve(true) : new Promise((resolve) => held.push(resolve)),
  );
  expect(await authenticate('good')).toBe(true);
  const strangers = Array.from({ length: 20 }, (_, index) => authenticate(`bad ${index}`, `10.1.0.${index}`));
  expect(asked).toHaveLength(1 + 4);
  await clock.advance(0);
  for (const refuse of held) refuse(false);
  const answers = await Promise.all(strangers);
  expect(answers.filter((answer) => answer === 'unavailable')).toHaveLength(16);
  void Array.from({ length: 4 }, (_, index) => authenticate(`worse ${index}`, `10.1.0.${index}`));
  await clock.advance(10_000);
  // Its answer holds no more, and all places of strangers are taken.
  expect(await authenticate('good')).toBe(true);
});

test('what is remembered is bounded, and never the token itself', async () => {
  const { asked, authenticate } = gate(() => Promise.resolve(false));
  for (let count = 0; count < 300; count++) await authenticate(`token ${count}`, `10.1.${count}.1`);
  await authenticate('token 299');
  expect(asked).toHaveLength(300);
  await authenticate('token 0');
  expect(asked).toHaveLength(301);
});

test('who tries tokens without end keeps a new one of somebody else out at no time', async () => {
  const { clock, asked, authenticate } = gate(async (token) => {
    await Promise.resolve();
    return token.startsWith('good');
  });
  for (let second = 0; second < 60; second++) {
    // As many as it can at every moment, the one before the other's included.
    const flood = () => Array.from({ length: 50 }, (_, index) => authenticate(`bad ${second} ${index}`, '10.1.0.1'));
    const [before, good, after] = [flood(), authenticate(`good ${second}`, '10.2.0.1'), flood()];
    expect(await good).toBe(true);
    expect((await Promise.all([...before, ...after])).filter((answer) => answer === true)).toEqual([]);
    await clock.advance(1_000);
  }
  const bad = asked.filter((token) => token.startsWith('bad')).length;
  // Eight at first, and then one a second.
  expect(bad).toBeGreaterThanOrEqual(60);
  expect(bad).toBeLessThanOrEqual(8 + 60);
});
