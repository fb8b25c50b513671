export interface EventuallyOptions {
  readonly withinMs: number;
  /** Between two tries: each is a program or two on a machine that has better things to do. Default 500. */
  readonly everyMs?: number;
}

/**
 * Tries until the condition gives something that is neither undefined nor false, and gives that. An error of the
 * condition counts as "not yet"; after the deadline it is the cause of what is thrown.
 */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | false>,
  { withinMs, everyMs = 500 }: EventuallyOptions,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    let problem: unknown;
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      problem = error;
    }
    if (performance.now() >= end) {
      const detail = problem instanceof Error ? `: ${problem.message}` : '';
      throw new Error(`waited ${withinMs / 1000} s in vain for ${what}${detail}`, { cause: problem });
    }
    await Bun.sleep(everyMs);
  }
}
