/** An agent's process: from its first log line until a signal or a failure ends it, with probes from the start. */
import type { Clock, Logger } from '@canal/runtime-port';
import type { Ip } from 'net-types';
import { type HealthAnswer, serveHealth } from './health-server.ts';
import { createJsonLogger, type LogLevel } from './json-logger.ts';
import { createPrometheusMetrics, type PrometheusMetrics } from './prometheus-metrics.ts';
import { writeStderr } from './stderr-sink.ts';
import { createSystemClock } from './system-clock.ts';
import { VERSION } from './version.ts';

export interface DaemonOptions {
  /** Of the program: `flanneld`. */
  readonly name: string;
  /** What stays when it ends, for its log: `the network stays as it is`. */
  readonly leaves: string;
  readonly logLevel: LogLevel;
  /** Of the configuration. */
  readonly warnings: readonly string[];
  /** Absent: no probes. */
  readonly health?: { readonly ip: Ip; readonly port: number };
}

/** What the work is given. */
export interface Daemon {
  /** Aborts at SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: PrometheusMetrics;
  /** Alive and not ready, for this reason. */
  waitsFor(what: string): void;
  /** From now on the probes are answered by this. */
  answerBy(probes: { readonly healthz: () => HealthAnswer; readonly readyz: () => HealthAnswer }): void;
}

const EXIT_OK = 0;
const EXIT_FAILURE = 1;

/** Gives the exit code: 0 after a signal, at once, whatever is under way; 1 when the work fails. */
export async function runDaemon(options: DaemonOptions, work: (daemon: Daemon) => Promise<void>): Promise<number> {
  const { name, leaves, logLevel, warnings } = options;
  const log = createJsonLogger({ level: logLevel, write: writeStderr, timeMs: () => Date.now() });
  log.info({ version: VERSION }, `canal ${name} starts`);
  for (const warning of warnings) log.warn({ warning }, 'configuration');
  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const onSignal = (received: string): void => {
    log.info({ signal: received }, `stopping; ${leaves}`);
    stop.abort(new Error(received));
  };
  process.once('SIGTERM', onSignal);
  process.once('SIGINT', onSignal);
  try {
    await Promise.race([stopped, servedWork(options, work, log, stop.signal)]);
    return EXIT_OK;
  } catch (error) {
    if (stop.signal.aborted) return EXIT_OK;
    log.error({ error }, `${name} ends; ${leaves}`);
    return EXIT_FAILURE;
  }
}

async function servedWork(
  { health }: DaemonOptions,
  work: (daemon: Daemon) => Promise<void>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const clock = createSystemClock();
  const metrics = createPrometheusMetrics();
  let waitsFor = 'starting';
  let asked: Parameters<Daemon['answerBy']>[0] | undefined;
  const probes = {
    metrics,
    clock,
    log,
    healthz: (): HealthAnswer => asked?.healthz() ?? { ok: true, text: waitsFor },
    readyz: (): HealthAnswer => asked?.readyz() ?? { ok: false, text: waitsFor },
  };
  const daemon: Daemon = {
    signal,
    log,
    clock,
    metrics,
    waitsFor(what) {
      waitsFor = what;
    },
    answerBy(answers) {
      asked = answers;
    },
  };
  const serving = health && serveHealth(probes, health, signal);
  await Promise.all([work(daemon), serving]);
}
