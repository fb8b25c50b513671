/** Delay before the next attempt after `failures` in a row: doubles from the first to the longest. */
export function backOffMs(failures: number, firstMs: number, longestMs: number): number {
  // Beyond 2^30 the doubling has long met any longest delay; the bound keeps the power finite.
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
}
