/** What the kernel tells for ever: listened to again when it breaks off, and a problem by name while that goes on. */
import type { Clock, Logger } from '@canal/runtime-port';
import type { Complaint, ProblemLog } from '@canal/telemetry';
import type { AgentMetrics } from './agent-metrics.ts';

export interface KernelStream<T> {
  /** Of the metric's label `operation`, and of the problem. */
  readonly name: string;
  /** From the call on; ends when the signal aborts, and else is broken off. */
  readonly events: (signal: AbortSignal) => AsyncIterable<T>;
  readonly onEvent: (event: T) => void;
  /** Words for people, with what is not seen meanwhile and what to do. */
  readonly complaint: (reason: string) => Complaint;
}

export interface KernelStreamDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<AgentMetrics, 'errors'>;
  readonly problems: Pick<ProblemLog, 'update'>;
}

const RETRY_MS = 1_000;
/** A single break is gone with the next try. */
const FAILURES_TOLD = 3;
/** One that lasts for so long is mended. Its first event says less: it may break off behind it every time. */
const STEADY_MS = 5_000;

/** Until the signal aborts; never rejects. */
export async function followKernel<T>(
  { name, events, onEvent, complaint }: KernelStream<T>,
  { clock, log, metrics, problems }: KernelStreamDeps,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  let told = '';
  const mended = (): void => {
    failures = 0;
    told = '';
    problems.update(name, []);
  };
  while (!signal.aborted) {
    const broken = new AbortController();
    clock.sleep(STEADY_MS, AbortSignal.any([signal, broken.signal])).then(mended, () => undefined);
    const reason = await breakOf({ events, onEvent }, signal);
    broken.abort();
    if (reason === undefined) return;
    metrics.errors.inc({ operation: name });
    if (reason !== told) log.warn({ stream: name, reason }, 'what the kernel tells broke off, listening again');
    told = reason;
    if (++failures >= FAILURES_TOLD) problems.update(name, [complaint(reason)]);
    await clock.sleep(RETRY_MS, signal).catch(() => undefined);
  }
}

/** Why it broke off; undefined when it was ended. */
async function breakOf<T>(
  { events, onEvent }: Pick<KernelStream<T>, 'events' | 'onEvent'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  let reason = 'it ended';
  try {
    for await (const event of events(signal)) onEvent(event);
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  return signal.aborted ? undefined : reason;
}
