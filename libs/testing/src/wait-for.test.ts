import { expect, test } from 'vitest';
import { waitFor } from './wait-for.ts';

test('gives what the condition gives once it does', async () => {
  let tries = 0;
  expect(await waitFor('a third try', () => ++tries === 3 && tries)).toBe(3);
});

test('an error of the condition is "not yet", and the cause when time is up', async () => {
  const failing = waitFor(
    'the impossible',
    () => {
      throw new Error('no');
    },
    20,
  );
  await expect(failing).rejects.toMatchObject({
    message: 'waited 20 ms in vain for the impossible',
    cause: new Error('no'),
  });
});
