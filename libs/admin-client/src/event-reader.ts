/** The events of a stream, over as many connections as it takes. */
import { AdminApiError } from './admin-api-error.ts';
import type { CallTarget } from './call-target.ts';
import { EventStreamParser, type ServerEvent } from './event-stream.ts';
import { type AdminServer, failure, request } from './exchange.ts';
import type { UntypedInput } from './untyped-input.ts';

export type StreamedEvent<T> =
  | { readonly type: 'item'; readonly item: T }
  /** Some were left out: what is known by the events before may be old. */
  | { readonly type: 'resync' };

const BEGIN_TIMEOUT_MS = 30_000;
/** The server says something every 15 s. */
const SILENCE_MS = 45_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** In a row, without an event between them. */
const MAX_FAILURES = 5;
const MAX_EVENT_CHARS = 4 * 1024 * 1024;

/** Ends when the signal aborts. Throws AdminApiError. */
export async function* readEvents(
  server: AdminServer,
  target: CallTarget,
  input: UntypedInput,
  signal: AbortSignal,
): AsyncGenerator<StreamedEvent<unknown>, void> {
  let lastEventId: string | undefined;
  let retryMs = RETRY_MS;
  let failures = 0;
  const isAborted = (): boolean => signal.aborted;
  while (!isAborted()) {
    const parser = new EventStreamParser(MAX_EVENT_CHARS);
    let wanted = 0;
    try {
      for await (const event of connection(server, target, input, { signal, lastEventId, parser })) {
        failures = 0;
        if (event.id !== '') lastEventId = event.id;
        yield readEvent(event, target);
      }
    } catch (error) {
      if (isAborted()) return;
      if (!(error instanceof AdminApiError) || !error.isPassing || ++failures >= MAX_FAILURES) throw error;
      wanted = (error.retryAfterSeconds ?? 0) * 1_000;
    }
    retryMs = Math.min(parser.retryMs ?? retryMs, MAX_RETRY_MS);
    await pause(Math.max(wanted, retryMs * 2 ** Math.max(0, failures - 1)), signal);
  }
}

async function* connection(
  server: AdminServer,
  target: CallTarget,
  input: UntypedInput,
  {
    signal,
    lastEventId,
    parser,
  }: { readonly signal: AbortSignal; readonly lastEventId: string | undefined; readonly parser: EventStreamParser },
): AsyncGenerator<ServerEvent, void> {
  const watchdog = new AbortController();
  const limits = { signal, limit: watchdog.signal };
  let timer = setTimeout(() => watchdog.abort(), server.timeoutMs ?? BEGIN_TIMEOUT_MS);
  const isHeard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => watchdog.abort(), SILENCE_MS);
  };
  try {
    const response = await request(server, target, input, { ...limits, accept: 'text/event-stream', lastEventId });
    isHeard();
    for await (const bytes of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      isHeard();
      yield* parser.push(bytes);
    }
  } catch (error) {
    if (error instanceof RangeError) throw new AdminApiError('broken', `${target.path}: ${error.message}`);
    throw failure(error, target.path, limits);
  } finally {
    clearTimeout(timer);
    watchdog.abort();
  }
}

function readEvent({ name, data }: ServerEvent, { path }: CallTarget): StreamedEvent<unknown> {
  if (name === 'resync') return { type: 'resync' };
  try {
    return { type: 'item', item: JSON.parse(data) };
  } catch (cause) {
    throw new AdminApiError('broken', `${path}: an event is no JSON`, { cause });
  }
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}
