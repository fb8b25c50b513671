/** Asks again until the answer is the wanted one; throws with the last answer when that takes longer than `timeoutMs`. */
export async function eventually<T>(ask: () => Promise<T>, wanted: T, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer === wanted) return;
    if (Date.now() > deadline)
      throw new Error(`${String(answer)} instead of ${String(wanted)} after ${String(timeoutMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const POLL_MS = 50;
