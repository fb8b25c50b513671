/** One object for each distinct content, as long as somebody uses it. */
export interface Interned<T> {
  readonly key: string;
  readonly value: T;
  uses: number;
}

export class InternPool<T> {
  readonly #entries = new Map<string, Interned<T>>();

  get size(): number {
    return this.#entries.size;
  }

  take(key: string, make: () => T): Interned<T> {
    let entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, (entry = { key, value: make(), uses: 0 }));
    entry.uses++;
    return entry;
  }

  drop(entry: Interned<T>): void {
    if (--entry.uses === 0) this.#entries.delete(entry.key);
  }
}
