import type { Parsed, StoreEvent } from './store.ts';

/**
 * The events that wait for one consumer, the latest for each key. What waits is bounded by the number of objects, however
 * slow the consumer is: a later event of a key takes the place of the earlier, and the deletion of an object that the
 * consumer never saw leaves nothing.
 *
 * The in-sync mark divides the queue: what was put before it is given before it, so that it keeps its meaning while the
 * consumer lags.
 */
export class KeyedQueue<T> {
  #beforeMark = new Map<string, Change<T>>();
  #afterMark = new Map<string, Change<T>>();
  /** Keys that the consumer has been given and not yet been told to forget. */
  readonly #delivered = new Set<string>();
  #mark: 'none' | 'waiting' | 'given' = 'none';
  #connection: ConnectionEvent | undefined;
  /** The state that was announced last, waiting or given. */
  #announced: ConnectionEvent | undefined;
  #wake: (() => void) | undefined;

  put(key: string, parsed: Parsed<T>, resourceVersion: string): void {
    this.#set(key, { type: 'put', key, parsed, resourceVersion });
  }

  delete(key: string): void {
    if (this.#delivered.has(key)) this.#set(key, { type: 'delete', key });
    else this.#drop(key);
  }

  /** All that was put so far is what a list would give. Only the first call counts. */
  markInSync(): void {
    if (this.#mark !== 'none') return;
    this.#mark = 'waiting';
    this.#notify();
  }

  /** Only the latest state waits, and only changes are told. */
  connection(connected: boolean, error?: string): void {
    if (this.#announced?.connected === connected && this.#announced.error === error) return;
    this.#connection = { type: 'connection', connected, ...(error === undefined ? {} : { error }) };
    this.#announced = this.#connection;
    this.#notify();
  }

  /** Changes that wait, for metrics and tests. */
  get size(): number {
    return this.#beforeMark.size + this.#afterMark.size;
  }

  /** The next event in order, or undefined when nothing waits. */
  shift(): StoreEvent<T> | undefined {
    if (this.#connection !== undefined) {
      const event = this.#connection;
      this.#connection = undefined;
      return event;
    }
    const early = this.#take(this.#beforeMark);
    if (early !== undefined) return early;
    if (this.#mark === 'waiting') {
      this.#mark = 'given';
      return { type: 'in-sync' };
    }
    return this.#take(this.#afterMark);
  }

  /** Resolves once something waits (at once if it does already) or the signal aborts. One waiter at a time. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#hasNext() || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #hasNext(): boolean {
    return this.size > 0 || this.#mark === 'waiting' || this.#connection !== undefined;
  }

  #set(key: string, change: Change<T>): void {
    const early = this.#mark === 'none' || this.#beforeMark.has(key);
    const changes = early ? this.#beforeMark : this.#afterMark;
    // At its own time: what takes an object's place was put before the object went.
    if (change.type === 'delete') changes.delete(key);
    changes.set(key, change);
    this.#notify();
  }

  #drop(key: string): void {
    this.#beforeMark.delete(key);
    this.#afterMark.delete(key);
  }

  #take(changes: Map<string, Change<T>>): Change<T> | undefined {
    const first = changes.values().next();
    if (first.done === true) return undefined;
    const change = first.value;
    changes.delete(change.key);
    if (change.type === 'put') this.#delivered.add(change.key);
    else this.#delivered.delete(change.key);
    return change;
  }

  #notify(): void {
    this.#wake?.();
  }
}

type ConnectionEvent = Extract<StoreEvent<never>, { type: 'connection' }>;
type Change<T> = Extract<StoreEvent<T>, { key: string }>;
