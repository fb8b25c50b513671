/** text/event-stream (HTML Living Standard §9.2) to one reader, who may be slow, silent or gone. */
import type { Clock } from '@canal/runtime-port';
import type { StreamEvent } from '../handler.ts';
import { EventQueue } from './event-queue.ts';

/** What of a response is needed here. */
export interface StreamSink {
  /** False: no more until `drain`. */
  write(text: string): boolean;
  once(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
  end(): unknown;
  destroy(): unknown;
}

export interface StreamOptions {
  /** Name of the events. */
  readonly event: string;
  readonly clock: Clock;
  /** Aborts when the reader is gone, or the server ends. */
  readonly signal: AbortSignal;
  /** How long a reader may take nothing before it is cut off. */
  readonly stallMs: number;
}

/** Proxies close what is silent for a minute, some for half of one. */
const HEARTBEAT_MS = 15_000;
/** Then the client comes again with Last-Event-ID, and its token is looked at anew. */
const LIFE_MS = 15 * 60_000;
const RETRY_MS = 1_000;

interface StreamState {
  isOver: boolean;
  isOld: boolean;
  isBeat: boolean;
  failure: Error | undefined;
}

export type StreamEnd = 'over' | 'slow' | 'gone';

/** Writes until the events end, the reader is gone or slow, or its time is over. Rejects with what the events threw. */
export async function writeEventStream<T>(
  sink: StreamSink,
  events: AsyncIterator<StreamEvent<T>>,
  { event: name, clock, signal, stallMs }: StreamOptions,
): Promise<StreamEnd> {
  const queue = new EventQueue((id) => formatEvent('resync', id, '{}'));
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) stop.abort();
  let wake = Promise.withResolvers<undefined>();
  const changed = (): void => {
    wake.resolve(undefined);
    wake = Promise.withResolvers();
  };
  stop.signal.addEventListener('abort', changed);

  const state: StreamState = { isOver: false, isOld: false, isBeat: false, failure: undefined };
  const pulling = (async () => {
    while (!stop.signal.aborted) {
      const next = await events.next();
      if (next.done === true) break;
      const { value } = next;
      const text =
        value.type === 'item'
          ? formatEvent(name, value.id, renderedOnce(value.data))
          : formatEvent('resync', value.id, '{}');
      queue.push({ id: value.id, text });
      changed();
    }
  })()
    .catch((error: unknown) => {
      state.failure = asError(error);
    })
    .finally(() => {
      state.isOver = true;
      changed();
    });

  const beating = every(clock, HEARTBEAT_MS, stop.signal, () => {
    state.isBeat = true;
    changed();
  });
  const ageing = clock.sleep(LIFE_MS, stop.signal).then(
    () => {
      state.isOld = true;
      changed();
    },
    () => undefined,
  );

  try {
    let isFree = sink.write(`retry: ${RETRY_MS}\n\n`);
    for (;;) {
      if (!isFree && !(await drained(sink, clock, stallMs, stop.signal))) {
        sink.destroy();
        return signal.aborted ? 'gone' : 'slow';
      }
      isFree = true;
      if (stop.signal.aborted) return 'gone';
      const waiting = wake.promise;
      if (!queue.isEmpty) {
        state.isBeat = false;
        isFree = sink.write(queue.take());
      } else if (state.isOver || state.isOld) {
        if (state.failure !== undefined) throw state.failure;
        return 'over';
      } else if (state.isBeat) {
        state.isBeat = false;
        isFree = sink.write(': heartbeat\n\n');
      } else await waiting;
    }
  } finally {
    stop.abort();
    signal.removeEventListener('abort', onAbort);
    sink.end();
    // The source may be waiting for its next event; it hears the signal, and its end is not waited for.
    void Promise.resolve(events.return?.()).catch(() => undefined);
    void Promise.all([pulling, beating, ageing]);
  }
}

/** Ids and names are ours or the handlers'; a line break in one would begin a field of its own. */
export function formatEvent(name: string, id: string, data: string): string {
  return `id: ${id.replaceAll(/[\r\n\0]/g, ' ')}\nevent: ${name}\ndata: ${data}\n\n`;
}

const RENDERED = new WeakMap<object, string>();

/** Many streams tell the same values: each is made a text once. */
function renderedOnce(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const known = RENDERED.get(value);
  if (known !== undefined) return known;
  const text = JSON.stringify(value);
  RENDERED.set(value, text);
  return text;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

async function every(clock: Clock, intervalMs: number, signal: AbortSignal, work: () => void): Promise<void> {
  while (await slept(clock, intervalMs, signal)) work();
}

/** False: aborted. */
function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );
}

/** False: not in time, or there is nobody any more. */
async function drained(sink: StreamSink, clock: Clock, stallMs: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const onDrain = (): void => resolve(true);
  const done = new AbortController();
  const onAbort = (): void => done.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  sink.once('drain', onDrain);
  clock.sleep(stallMs, done.signal).then(
    () => resolve(false),
    () => resolve(false),
  );
  if (signal.aborted) done.abort();
  try {
    return await promise;
  } finally {
    sink.off('drain', onDrain);
    signal.removeEventListener('abort', onAbort);
    done.abort();
  }
}
