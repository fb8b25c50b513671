import type { Clock } from '@canal/runtime-port';

/** Answers that hold for a while: bounded, the least lately made goes first. Asking twice at a time asks once. */
export class ExpiringCache<T> {
  readonly #entries = new Map<string, { readonly until: number; readonly value: Promise<T> }>();
  readonly #options: { readonly clock: Clock; readonly ttlMs: number; readonly maxEntries: number };

  constructor(options: { readonly clock: Clock; readonly ttlMs: number; readonly maxEntries: number }) {
    this.#options = options;
  }

  /** A failure is not kept. The time counts from the asking, so that what is told is never older than it. */
  get(key: string, ask: () => Promise<T>): Promise<T> {
    const { clock, ttlMs, maxEntries } = this.#options;
    const now = clock.nowMs();
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > now) return known.value;
    this.#entries.delete(key);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < maxEntries) break;
      this.#entries.delete(oldest);
    }
    const value = ask();
    const entry = { until: now + ttlMs, value };
    this.#entries.set(key, entry);
    value.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return value;
  }

  has(key: string): boolean {
    return (this.#entries.get(key)?.until ?? -Infinity) > this.#options.clock.nowMs();
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}
