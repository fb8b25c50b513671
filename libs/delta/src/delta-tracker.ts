/**
 * Two maps under the same keys, and what it takes to make the second like the first:
 *
 *      desired            actual
 *   ┌───────────────┬─────────────────┐
 *   │ to create     │ same │          │
 *   │        to update ───┘ to delete │
 *   └───────────────┴─────────────────┘
 *
 * Both sides may be replaced whole (a compile, a dump) or an entry at a time (an event, the result of an operation);
 * the pending changes follow at once, so asking for them costs as much as there are of them.
 */
export class DeltaTracker<K, V> {
  readonly #equal: (desired: V, actual: V) => boolean;
  readonly #desired = new Map<K, V>();
  readonly #actual = new Map<K, V>();
  readonly #updates = new Set<K>();
  readonly #deletions = new Set<K>();

  constructor(equal: (desired: V, actual: V) => boolean) {
    this.#equal = equal;
  }

  setDesired(key: K, value: V): void {
    this.#desired.set(key, value);
    this.#compare(key);
  }

  deleteDesired(key: K): void {
    this.#desired.delete(key);
    this.#compare(key);
  }

  setActual(key: K, value: V): void {
    this.#actual.set(key, value);
    this.#compare(key);
  }

  deleteActual(key: K): void {
    this.#actual.delete(key);
    this.#compare(key);
  }

  /** Makes these the whole desired side. The last of two entries with one key counts. */
  replaceDesired(entries: Iterable<readonly [K, V]>): void {
    this.#replace(this.#desired, entries);
  }

  /** Makes these the whole actual side. */
  replaceActual(entries: Iterable<readonly [K, V]>): void {
    this.#replace(this.#actual, entries);
  }

  desired(key: K): V | undefined {
    return this.#desired.get(key);
  }

  actual(key: K): V | undefined {
    return this.#actual.get(key);
  }

  /** Desired entries that are missing or differ, with what is there instead. */
  *pendingUpdates(): Generator<PendingUpdate<K, V>> {
    for (const key of this.#updates) {
      const desired = this.#desired.get(key);
      if (desired !== undefined) yield { key, desired, actual: this.#actual.get(key) };
    }
  }

  /** Actual entries that nobody desires. */
  *pendingDeletions(): Generator<readonly [K, V]> {
    for (const key of this.#deletions) {
      const actual = this.#actual.get(key);
      if (actual !== undefined) yield [key, actual];
    }
  }

  /** Nothing to update and nothing to delete. */
  get inSync(): boolean {
    return this.#updates.size === 0 && this.#deletions.size === 0;
  }

  #replace(side: Map<K, V>, entries: Iterable<readonly [K, V]>): void {
    const before = new Set(side.keys());
    side.clear();
    for (const [key, value] of entries) {
      side.set(key, value);
      before.delete(key);
    }
    for (const key of side.keys()) this.#compare(key);
    for (const key of before) this.#compare(key);
  }

  #compare(key: K): void {
    const desired = this.#desired.get(key);
    const actual = this.#actual.get(key);
    const update = desired !== undefined && (actual === undefined || !this.#equal(desired, actual));
    if (update) this.#updates.add(key);
    else this.#updates.delete(key);
    if (desired === undefined && actual !== undefined) this.#deletions.add(key);
    else this.#deletions.delete(key);
  }
}

export interface PendingUpdate<K, V> {
  readonly key: K;
  readonly desired: V;
  readonly actual: V | undefined;
}
