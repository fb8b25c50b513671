/** Waits between tries: exponential with full jitter, so that many agents that lost one server do not come back at once. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** A wait in [0, min(max, base × 2^attempt)); `attempt` counts from 0, `random` gives [0, 1). */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  // Beyond 2^30 the power would leave the exact numbers; every sensible maximum is reached long before.
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30));
  return random() * ceiling;
}
