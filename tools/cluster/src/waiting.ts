/** Waiting for what a component does. */
import { ClusterError } from './failure.ts';

/** Asks until the answer is yes. Throws `failed` with the log to look into. */
export async function until(
  what: string,
  log: string,
  limit: number,
  question: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + limit;
  while (!(await question())) {
    if (Date.now() > deadline)
      throw new ClusterError('failed', `waited ${limit / 1000} s in vain until ${what}: see ${log}`);
    await Bun.sleep(50);
  }
}
