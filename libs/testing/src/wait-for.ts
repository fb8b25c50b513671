/**
 * Tries until the condition gives something that is neither undefined nor false, and gives that. An error of the
 * condition counts as "not yet". After the deadline it throws, naming what was waited for and the last error.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 5_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= end) {
      throw new Error(
        `waited ${deadlineMs} ms in vain for ${what}`,
        lastError === undefined ? {} : { cause: lastError },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
