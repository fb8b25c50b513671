/**
 * The one place that flushes the engine and writes to the kernel. Nothing is written before `open`: until all objects
 * are known the rules of the agent before this one stay in force. A write that failed is followed by a resync; while
 * resyncs fail too the rules stay as they are, which is closed for what they do not know.
 */
import type { PolicyGuard, PolicyKernel } from '@canal/kernel-port';
import type { PolicyEngine } from '@canal/policy-compile';
import { createReconciler, type Reconciler } from '@canal/reconcile';
import type { RuleDelta } from '@canal/rules-ast';
import type { Clock, Logger } from '@canal/runtime-port';
import { withoutProgress } from '@canal/telemetry';
import type { Ip } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';

export interface RuleRunnerDeps {
  readonly engine: Pick<PolicyEngine, 'flush' | 'view'>;
  readonly kernel: Pick<PolicyKernel, 'apply' | 'resync' | 'setGuard'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
  /** Called before each flush: true when the guard is another one. */
  readonly settle: () => boolean;
  readonly guard: () => PolicyGuard;
  /** The view has changed by this; the kernel has not yet. */
  readonly onFlushed: (delta: RuleDelta) => void;
  /** The change is in the kernel. */
  readonly onApplied: (delta: RuleDelta) => void;
  /**
   * All of the view is in the kernel: after the start, or after changes of others (then what differed). `gone`: as in
   * PolicyResync.
   */
  readonly onResynced: (repaired: readonly string[], gone: readonly Ip[]) => void;
}

export interface RuleRunnerOptions {
  readonly resyncIntervalMs: number;
}

type Item = 'rules' | 'kernel';

/** A burst of events becomes one transaction; one that comes alone does not wait. */
const MIN_INTERVAL_MS = 2;
const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 5_000;
/** Between comparisons that changes of others ask for; a program that fights with us gets two a second at last. */
const REPAIR_INTERVAL_MS = { first: 125, longest: 500 } as const;
/** Without a repair for so long the fight is over. */
const PEACE_MS = 10_000;

export class RuleRunner {
  readonly #deps: RuleRunnerDeps;
  readonly #loop: Reconciler<Item>;
  readonly #opened = Promise.withResolvers<undefined>();
  #isOpen = false;
  #everSynced = false;
  #lastSyncMs: number | undefined;
  /** The kernel may differ from the view: a write has failed, or none was made yet. */
  #stale = true;
  #guardDirty = false;
  #failing: { readonly sinceMs: number; readonly error: Error } | undefined;
  /** When the first change of each kind came that is not in the kernel yet. */
  readonly #changedMs = new Map<string, number>();
  #waiters: PromiseWithResolvers<undefined>[] = [];
  #lastResyncMs = Number.NEGATIVE_INFINITY;
  #lastRepairMs = Number.NEGATIVE_INFINITY;
  #repairIntervalMs: number = REPAIR_INTERVAL_MS.first;
  #repairScheduled = false;
  #signal: AbortSignal | undefined;

  constructor(deps: RuleRunnerDeps, options: RuleRunnerOptions) {
    this.#deps = deps;
    this.#loop = createReconciler<Item>(
      { clock: deps.clock, log: withoutProgress(deps.log) },
      {
        items: ['rules', 'kernel'],
        turn: async (items, { full }) => ({ failures: await this.#turn(full || items.has('kernel')) }),
        minIntervalMs: MIN_INTERVAL_MS,
        resyncIntervalMs: options.resyncIntervalMs,
        retryFirstMs: RETRY_FIRST_MS,
        retryLongestMs: RETRY_LONGEST_MS,
      },
    );
  }

  /** All objects are known: from now on the kernel follows the engine. */
  open(): void {
    this.#isOpen = true;
    this.#opened.resolve(undefined);
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#opened.promise, aborted]);
    await this.#loop.run(signal);
  }

  /** The engine, or what `settle` looks at, was given something. */
  changed(kind: string): void {
    if (!this.#isOpen) return;
    if (!this.#changedMs.has(kind)) this.#changedMs.set(kind, this.#deps.clock.nowMs());
    // While the kernel refuses, the retries take along what comes: events must not hasten them.
    if (this.#failing === undefined) this.#loop.markDirty('rules');
  }

  /** Somebody else changed our tables, or may have. */
  kernelChanged(): void {
    if (!this.#isOpen || this.#failing !== undefined || this.#repairScheduled) return;
    const { clock } = this.#deps;
    const delayMs = this.#lastResyncMs + this.#repairIntervalMs - clock.nowMs();
    if (delayMs <= 0) {
      this.#loop.markDirty('kernel');
      return;
    }
    this.#repairScheduled = true;
    clock.sleep(delayMs, this.#signal).then(
      () => {
        this.#repairScheduled = false;
        this.#loop.markDirty('kernel');
      },
      () => undefined,
    );
  }

  /** Resolves when all that the engine was given before is in the kernel; rejects with the kernel's error. */
  applied(): Promise<void> {
    const waiter = Promise.withResolvers<undefined>();
    this.#waiters.push(waiter);
    this.changed('endpoint');
    return waiter.promise;
  }

  /** Resolves with `open`. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Everything was in the kernel once. */
  get everSynced(): boolean {
    return this.#everSynced;
  }

  /** When the kernel was last as wanted, since the epoch. */
  get lastSyncMs(): number | undefined {
    return this.#lastSyncMs;
  }

  /** Since when the kernel refuses, on the clock's scale. */
  get failing(): { readonly sinceMs: number; readonly error: Error } | undefined {
    return this.#failing;
  }

  /** The loop turns, or waits for `open`. */
  get alive(): boolean {
    return !this.#isOpen || this.#loop.health().alive;
  }

  async #turn(compare: boolean): Promise<ReadonlyMap<Item, Error>> {
    const waiters = this.#waiters;
    this.#waiters = [];
    const changed = new Map(this.#changedMs);
    this.#changedMs.clear();
    try {
      await this.#write(compare);
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#stale = true;
      this.#failing ??= { sinceMs: this.#deps.clock.nowMs(), error: cause };
      for (const [kind, atMs] of changed) if (!this.#changedMs.has(kind)) this.#changedMs.set(kind, atMs);
      for (const waiter of waiters) waiter.reject(cause);
      return new Map([['kernel', cause]]);
    }
    if (this.#failing !== undefined) {
      this.#deps.log.info({}, 'the kernel has the rules again');
      this.#failing = undefined;
      // What came during this turn marked nothing.
      this.#loop.markDirty('rules');
    }
    this.#done(changed);
    for (const waiter of waiters) waiter.resolve(undefined);
    return new Map();
  }

  async #write(compare: boolean): Promise<void> {
    const { engine, settle, guard, kernel, onFlushed, onApplied } = this.#deps;
    this.#guardDirty = settle() || this.#guardDirty;
    const delta = await this.#timed('compile', () => engine.flush());
    if (delta !== undefined) onFlushed(delta);
    if (!this.#stale) {
      try {
        if (delta !== undefined) {
          await this.#timed('apply', () => kernel.apply(delta, engine.view));
          onApplied(delta);
        }
        if (this.#guardDirty) {
          await this.#timed('guard', () => kernel.setGuard(guard()));
          this.#guardDirty = false;
        }
      } catch (error) {
        // What a transaction failed on is often gone when all is read anew.
        this.#stale = true;
        this.#deps.log.warn({ error }, 'a change of rules failed, comparing with the kernel');
      }
    }
    if (compare || this.#stale) await this.#resync();
  }

  async #resync(): Promise<void> {
    const { engine, kernel, guard, log, metrics, onResynced } = this.#deps;
    const wasStale = this.#stale;
    const { writes, differences, gone = [] } = await this.#timed('resync', () => kernel.resync(engine.view, guard()));
    this.#lastResyncMs = this.#deps.clock.nowMs();
    this.#stale = false;
    this.#guardDirty = false;
    if (wasStale) {
      log.info({ writes }, this.#everSynced ? 'rules compared with the kernel' : 'first full sync done');
      onResynced([], gone);
    } else if (writes > 0) {
      const { first, longest } = REPAIR_INTERVAL_MS;
      const isFight = this.#lastResyncMs - this.#lastRepairMs < PEACE_MS;
      this.#repairIntervalMs = isFight ? Math.min(2 * this.#repairIntervalMs, longest) : first;
      this.#lastRepairMs = this.#lastResyncMs;
      metrics.driftRepairs.inc({ kind: 'policy-rule' });
      log.warn({ writes, differences }, 'policy rules repaired: others had changed them');
      // What others have put there is no pod's.
      onResynced(differences, []);
    }
    this.#everSynced = true;
  }

  #done(changed: ReadonlyMap<string, number>): void {
    const { clock, metrics, timeMs } = this.#deps;
    this.#lastSyncMs = timeMs();
    metrics.lastSync.set(this.#lastSyncMs / 1000);
    for (const [kind, atMs] of changed) metrics.programmingDelay.observe((clock.nowMs() - atMs) / 1000, { kind });
  }

  async #timed<T>(operation: string, work: () => T | Promise<T>): Promise<T> {
    const { clock, metrics } = this.#deps;
    const startedMs = clock.nowMs();
    try {
      return await work();
    } catch (error) {
      metrics.errors.inc({ operation });
      throw error;
    } finally {
      metrics.applySeconds.observe((clock.nowMs() - startedMs) / 1000, { operation });
    }
  }
}
