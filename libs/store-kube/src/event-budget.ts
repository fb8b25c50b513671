/** How many Kubernetes Events an agent may write: a token bucket for all, and a pause for repetitions of one. */

export interface EventBudgetOptions {
  readonly burst: number;
  readonly perMinute: number;
  /** The same reason and message is not told again within this time. */
  readonly repeatAfterMs: number;
}

/** Enough for every problem a node has at once, far from what hurts an API server with thousands of nodes. */
const EVENT_BUDGET: EventBudgetOptions = { burst: 20, perMinute: 4, repeatAfterMs: 10 * 60_000 };

export class EventBudget {
  readonly #options: EventBudgetOptions;
  readonly #toldMs = new Map<string, number>();
  #tokens: number;
  #refilledMs: number;

  constructor(nowMs: number, options: EventBudgetOptions = EVENT_BUDGET) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#refilledMs = nowMs;
  }

  /** True when the event may be written now; that takes a token. */
  admit(key: string, nowMs: number): boolean {
    const { burst, perMinute, repeatAfterMs } = this.#options;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#refilledMs) / 60_000) * perMinute);
    this.#refilledMs = nowMs;
    for (const [told, atMs] of this.#toldMs) if (nowMs - atMs >= repeatAfterMs) this.#toldMs.delete(told);
    if (this.#toldMs.has(key) || this.#tokens < 1) return false;
    this.#tokens -= 1;
    this.#toldMs.set(key, nowMs);
    return true;
  }
}
