/** Keeps the process small under load: the runtime lets garbage grow to what the machine has, and pods have limits. */
import type { Clock } from '@canal/runtime-port';

const LOOK_MS = 500;
/** A whole collection stops the program for some 20 ms. */
const REST_MS = 5_000;
const HIGH_BYTES = 100 * 1e6;

export interface MemoryDeps {
  readonly clock: Clock;
  readonly residentBytes: () => number;
  readonly collect: () => void;
}

/** Until the signal aborts. */
export async function keepMemorySmall(
  { clock, residentBytes, collect }: MemoryDeps,
  signal: AbortSignal,
): Promise<void> {
  let lastMs = -Infinity;
  const slept = (): Promise<boolean> =>
    clock.sleep(LOOK_MS, signal).then(
      () => true,
      () => false,
    );
  while (await slept()) {
    if (residentBytes() < HIGH_BYTES || clock.nowMs() - lastMs < REST_MS) continue;
    collect();
    lastMs = clock.nowMs();
  }
}
