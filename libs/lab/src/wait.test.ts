import { describe, expect, test } from 'vitest';
import { eachLimited, waitFor } from './wait.ts';

describe('waitFor', () => {
  test('gives the first answer', async () => {
    let asked = 0;
    expect(await waitFor('it', { timeoutMs: 1000, intervalMs: 1 }, () => (++asked < 3 ? undefined : asked))).toBe(3);
  });

  test('names what was waited for when the time is over', async () => {
    const waiting = waitFor('the tide', { timeoutMs: 5, intervalMs: 1 }, () => undefined);
    await expect(waiting).rejects.toMatchObject({ name: 'LabError', code: 'timeout' });
    await expect(waiting).rejects.toThrow('the tide took longer than 5 ms');
  });

  test('stops at once when aborted', async () => {
    const reason = new Error('enough');
    const options = { timeoutMs: 60_000, signal: AbortSignal.abort(reason) };
    await expect(waitFor('it', options, () => undefined)).rejects.toBe(reason);
  });
});

describe('eachLimited', () => {
  test('keeps the order of the items and the limit', async () => {
    let [running, most] = [0, 0];
    const results = await eachLimited([30, 1, 20, 1, 10], 2, async (ms) => {
      most = Math.max(most, ++running);
      await Bun.sleep(ms);
      running--;
      return ms * 2;
    });
    expect(results).toEqual([60, 2, 40, 2, 20]);
    expect(most).toBe(2);
  });

  test('begins nothing new after a failure', async () => {
    const begun: number[] = [];
    const work = eachLimited([1, 2, 3, 4, 5, 6], 2, async (item) => {
      begun.push(item);
      await Bun.sleep(1);
      if (item === 2) throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    await Bun.sleep(10);
    expect(begun.length).toBeLessThan(6);
  });

  test('nothing to do', async () => {
    expect(await eachLimited([], 4, () => Promise.resolve(1))).toEqual([]);
  });
});
