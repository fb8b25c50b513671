/** Chance that a seed repeats: a failure that a random request has found is found again. */

export interface Seeded {
  /** Within [0, 1). */
  next(): number;
  /** Within 0..below-1. */
  below(limit: number): number;
  chance(probability: number): boolean;
  /** Throws when there is none. */
  pick<T>(values: readonly T[]): T;
}

/** Any integer; a request of its own has a chance of its own: `seeded(seed + number)`. */
export function seeded(seed: number): Seeded {
  let state = (seed * 0x9e3779b1) >>> 0;
  // splitmix32: 2^32 states, all of them on one cycle.
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: <T>(values: readonly T[]): T => {
      if (values.length === 0) throw new Error('there is nothing to pick from');
      return values[below(values.length)] as T;
    },
  };
}
