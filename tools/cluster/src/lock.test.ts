import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';

import { exclusively } from './lock.ts';

const name = `test-${process.pid}`;

test('one after the other, also when one throws', async () => {
  const seen: string[] = [];
  const act = (word: string) => async (): Promise<void> => {
    seen.push(`${word} begins`);
    await Bun.sleep(60);
    seen.push(`${word} ends`);
    if (word === 'b') throw new Error('b fails');
  };
  const results = await Promise.allSettled(['a', 'b', 'c'].map((word) => exclusively(name, act(word))));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(seen).toHaveLength(6);
  for (let i = 0; i < 6; i += 2) expect(seen[i + 1]).toBe(seen[i]?.replace('begins', 'ends'));
});

test('who waits too long is told so; another name does not wait', async () => {
  await exclusively(name, async () => {
    await expect(exclusively(name, () => 1, 100)).rejects.toThrow(`another process has been at work on ${name}`);
    expect(await exclusively(`${name}-other`, () => 2)).toBe(2);
  });
});

test('a killed process holds nothing', async () => {
  const script = `const { exclusively } = await import(${JSON.stringify(`${import.meta.dirname}/lock.ts`)});
    await exclusively(${JSON.stringify(name)}, async () => { console.log('held'); await Bun.sleep(60_000); });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await expect(exclusively(name, () => 1, 100)).rejects.toThrow('another process');
  child.kill('SIGKILL');
  expect(await exclusively(name, () => 1, 5000)).toBe(1);
});
