import type { Clock } from '@canal/runtime-port';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock that moves only when told to. */
export interface FakeClock extends Clock {
  /**
   * Moves time on and wakes sleepers in the order of their times, one after another: what a woken one does next
   * (including another sleep that falls into the same stretch) happens before the next is woken.
   */
  advance(byMs: number): Promise<void>;
  /** How many are asleep. */
  readonly sleeping: number;
}

export function createFakeClock(startMs = 0): FakeClock {
  let nowMs = startMs;
  const sleepers = new Set<Sleeper>();
  return {
    nowMs: () => nowMs,
    get sleeping() {
      return sleepers.size;
    },
    sleep: (delayMs, signal) =>
      new Promise<void>((resolve, reject) => {
        signal?.throwIfAborted();
        const abort = (): void => {
          sleepers.delete(sleeper);
          reject(reasonOf(signal));
        };
        const sleeper: Sleeper = {
          atMs: nowMs + Math.max(0, delayMs),
          wake: () => {
            signal?.removeEventListener('abort', abort);
            resolve();
          },
        };
        signal?.addEventListener('abort', abort, { once: true });
        sleepers.add(sleeper);
      }),
    async advance(byMs) {
      const endMs = nowMs + byMs;
      await settle();
      for (let next = earliest(sleepers, endMs); next !== undefined; next = earliest(sleepers, endMs)) {
        nowMs = Math.max(nowMs, next.atMs);
        sleepers.delete(next);
        next.wake();
        await settle();
      }
      nowMs = endMs;
    },
  };
}

function earliest(sleepers: ReadonlySet<Sleeper>, endMs: number): Sleeper | undefined {
  let found: Sleeper | undefined;
  for (const sleeper of sleepers) {
    if (sleeper.atMs <= endMs && (found === undefined || sleeper.atMs < found.atMs)) found = sleeper;
  }
  return found;
}

/** Lets promise chains that are ready run to their next wait. A macrotask turn comes after all microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
