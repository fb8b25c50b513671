/**
 * The one loop that brings the world to what is wanted: at start, on a timer, when something changed. To say that
 * something changed is cheap and does nothing but mark; turns are at least `minIntervalMs` apart, so that a burst of
 * ten thousand events is a handful of turns, and a resync of everything comes at the latest every `resyncIntervalMs`.
 * An item that fails stays dirty by itself and is tried again after a growing delay; the others do not wait for it.
 */
import type { Clock, Logger } from '@canal/runtime-port';
import { backOffMs } from './back-off.ts';

export interface Reconciler<Item extends string> {
  /** The item may differ from what is wanted. Cheap; to be called from event handlers. */
  markDirty(item: Item): void;
  markAllDirty(): void;
  /** Turns until the signal aborts; never rejects. The first turn is of everything. To be called once. */
  run(signal: AbortSignal): Promise<void>;
  health(): ReconcileHealth<Item>;
}

/**
 * One turn over these items. Resolves with those that failed, others done along with them included; a rejection counts as the failure of all of them.
 * `full` says that it is the start, a resync or the first turn after lost events: nothing remembered may be relied on.
 */
export type Turn<Item extends string> = (
  items: ReadonlySet<Item>,
  context: { readonly full: boolean; readonly signal: AbortSignal },
) => Promise<TurnOutcome<Item>>;

export interface TurnOutcome<Item extends string> {
  readonly failures: ReadonlyMap<Item, Error>;
}

export interface ReconcileOptions<Item extends string> {
  readonly items: readonly Item[];
  readonly turn: Turn<Item>;
  readonly minIntervalMs: number;
  readonly resyncIntervalMs: number;
  readonly retryFirstMs: number;
  readonly retryLongestMs: number;
}

export interface ReconcileHealth<Item extends string> {
  readonly turns: number;
  /** When the loop last came to the end of a turn or went to sleep, on the clock's scale. */
  readonly lastProgressMs: number;
  /** The loop runs and has not been stuck in one turn: what /healthz asks. */
  readonly alive: boolean;
  /** Every item succeeded when it was last tried, and every one has been. */
  readonly inSync: boolean;
  /** `inSync` was true once: what /readyz asks, because a later failure does not take back what is in the kernel. */
  readonly everInSync: boolean;
  readonly failing: readonly FailingItem<Item>[];
}

export interface FailingItem<Item extends string> {
  readonly item: Item;
  readonly error: Error;
  readonly failures: number;
  readonly sinceMs: number;
}

/** A turn that takes longer is stuck: kernel calls take milliseconds, store writes have time-outs of their own. */
const STUCK_AFTER_MS = 60_000;

export interface ReconcileDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

export function createReconciler<Item extends string>(
  deps: ReconcileDeps,
  options: ReconcileOptions<Item>,
): Reconciler<Item> {
  return new Loop(deps, options);
}

interface Failure {
  readonly error: Error;
  readonly failures: number;
  readonly sinceMs: number;
  readonly retryAtMs: number;
}

class Loop<Item extends string> implements Reconciler<Item> {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: ReconcileOptions<Item>;
  readonly #dirty = new Set<Item>();
  readonly #failures = new Map<Item, Failure>();
  readonly #untried: Set<Item>;
  #allDirty = true;
  #lastFullMs = Number.NEGATIVE_INFINITY;
  #lastStartMs = Number.NEGATIVE_INFINITY;
  #lastProgressMs: number;
  /** A turn is under way. */
  #turning = false;
  #turns = 0;
  #everInSync = false;
  #wake: AbortController | undefined;

  constructor({ clock, log }: ReconcileDeps, options: ReconcileOptions<Item>) {
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#untried = new Set(options.items);
    this.#lastProgressMs = clock.nowMs();
  }

  markDirty(item: Item): void {
    this.#dirty.add(item);
    this.#wake?.abort();
  }

  markAllDirty(): void {
    this.#allDirty = true;
    this.#wake?.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const delayMs = this.#nextTurnMs() - this.#clock.nowMs();
      if (delayMs > 0) await this.#sleep(delayMs, signal);
      else await this.#turn(signal);
      this.#lastProgressMs = this.#clock.nowMs();
    }
  }

  health(): ReconcileHealth<Item> {
    const silentMs = this.#clock.nowMs() - this.#lastProgressMs;
    return {
      turns: this.#turns,
      lastProgressMs: this.#lastProgressMs,
      alive: silentMs <= STUCK_AFTER_MS + (this.#turning ? 0 : this.#options.resyncIntervalMs),
      inSync: this.#inSync,
      everInSync: this.#everInSync,
      failing: [...this.#failures].map(([item, { error, failures, sinceMs }]) => ({ item, error, failures, sinceMs })),
    };
  }

  get #inSync(): boolean {
    return this.#untried.size === 0 && this.#failures.size === 0;
  }

  #nextTurnMs(): number {
    const { minIntervalMs, resyncIntervalMs } = this.#options;
    const wanted =
      this.#allDirty || this.#dirty.size > 0
        ? Number.NEGATIVE_INFINITY
        : Math.min(
            this.#lastFullMs + resyncIntervalMs,
            ...[...this.#failures.values()].map(({ retryAtMs }) => retryAtMs),
          );
    return Math.max(wanted, this.#lastStartMs + minIntervalMs);
  }

  /** Until the time is over, something is marked, or the loop is to end. */
  async #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    const wake = new AbortController();
    this.#wake = wake;
    try {
      await this.#clock.sleep(delayMs, AbortSignal.any([wake.signal, signal]));
    } catch (error) {
      // The clock rejects with the reason of the signal; anything else is a broken clock and would spin this loop.
      if (!wake.signal.aborted && !signal.aborted) throw error;
    } finally {
      this.#wake = undefined;
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const full = this.#allDirty || nowMs >= this.#lastFullMs + this.#options.resyncIntervalMs;
    const due = [...this.#failures].filter(([, { retryAtMs }]) => retryAtMs <= nowMs).map(([item]) => item);
    const items = new Set(full ? this.#options.items : [...this.#dirty, ...due]);
    // What is marked during the turn is dirty again after it.
    this.#dirty.clear();
    this.#allDirty = false;
    this.#lastStartMs = nowMs;
    if (full) this.#lastFullMs = nowMs;
    const wasInSync = this.#inSync;
    this.#turning = true;
    const failures = await this.#tryTurn(items, full, signal);
    this.#turning = false;
    if (signal.aborted) return;
    // A turn may do along what it was not asked for: a failure of that must not be lost either.
    for (const item of new Set([...items, ...failures.keys()])) this.#record(item, failures.get(item));
    this.#turns++;
    if (this.#inSync && !wasInSync)
      this.#log.info({ turns: this.#turns }, this.#everInSync ? 'in sync again' : 'in sync');
    if (this.#inSync) this.#everInSync = true;
  }

  async #tryTurn(items: ReadonlySet<Item>, full: boolean, signal: AbortSignal): Promise<ReadonlyMap<Item, Error>> {
    try {
      return (await this.#options.turn(items, { full, signal })).failures;
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      return new Map([...items].map((item) => [item, cause]));
    }
  }

  #record(item: Item, error: Error | undefined): void {
    this.#untried.delete(item);
    const before = this.#failures.get(item);
    if (error === undefined) {
      this.#failures.delete(item);
      return;
    }
    const nowMs = this.#clock.nowMs();
    const failures = (before?.failures ?? 0) + 1;
    const delayMs = backOffMs(failures, this.#options.retryFirstMs, this.#options.retryLongestMs);
    this.#failures.set(item, { error, failures, sinceMs: before?.sinceMs ?? nowMs, retryAtMs: nowMs + delayMs });
    // Once when it begins and when it changes; a line a retry would hide both.
    if (before?.error.message !== error.message) {
      this.#log.warn({ item, error: error.message, retryInMs: delayMs }, 'reconcile failed');
    }
  }
}
