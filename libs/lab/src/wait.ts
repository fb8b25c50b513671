import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

export interface WaitOptions {
  /** Milliseconds from now. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly intervalMs?: number;
}

/** Asks until the answer is not undefined. Throws LabError `timeout` naming what was waited for. */
export async function waitFor<T>(what: string, options: WaitOptions, ask: () => T | undefined): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new LabError('timeout', `${what} took longer than ${options.timeoutMs} ms`);
    await sleep(options.intervalMs ?? 10);
  }
}

/** At most `limit` at a time, in order; after a failure nothing new begins. */
export async function eachLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = items.entries();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
