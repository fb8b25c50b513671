/** What libraries need of the process they run in. Types only: the app chooses the destination. */

/** Structured log: a constant message, the data in fields (pino's argument order). */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** Monotonic time and timers, injected so that tests own them. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  nowMs(): number;
  /** Resolves after the delay; rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Counter {
  inc(labels?: Labels, by?: number): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Drops one label combination, so that what is gone is not reported any more. */
  remove(labels: Labels): void;
}

export interface Histogram {
  /** Seconds, bytes or what the metric's name says. */
  observe(value: number, labels?: Labels): void;
}

export type Labels = Readonly<Record<string, string>>;

export interface MetricOptions {
  /** Prometheus name with unit suffix, prefix `canal_`. */
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
}

export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets?: readonly number[] }): Histogram;
}
