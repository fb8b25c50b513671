import { isJson, type Json, member, versionOf } from './api-client.ts';
import type { ApiSubject } from './subject.ts';

export interface WatchEvent {
  readonly type: string;
  readonly object: Json;
}

/** One open watch, read event by event with a deadline. */
export class WatchReader {
  readonly #events: AsyncGenerator<WatchEvent, void>;
  readonly #abort: AbortController;
  readonly #deadlineMs: number;

  private constructor(events: AsyncGenerator<WatchEvent, void>, abort: AbortController, deadlineMs: number) {
    this.#events = events;
    this.#abort = abort;
    this.#deadlineMs = deadlineMs;
  }

  /** Opens `path` (with its query) as a watch. An answer other than 200 is one ERROR event with its Status. */
  static async open(subject: ApiSubject, path: string, deadlineMs = 10_000): Promise<WatchReader> {
    const abort = new AbortController();
    const query = `${path.includes('?') ? '&' : '?'}watch=true`;
    const response = await subject.fetch(`${path}${query}`, { signal: abort.signal });
    const events = response.ok ? readEvents(response) : oneError(response);
    return new WatchReader(events, abort, deadlineMs);
  }

  /** The next event other than a bookmark; undefined when the server ended the watch. */
  async next(): Promise<WatchEvent | undefined> {
    for (;;) {
      const event = await this.nextOfAny();
      if (event?.type !== 'BOOKMARK') return event;
    }
  }

  async nextOfAny(): Promise<WatchEvent | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no watch event within ${String(this.#deadlineMs)} ms`));
      }, this.#deadlineMs);
    });
    try {
      const result = await Promise.race([this.#events.next(), late]);
      return result.done === true ? undefined : result.value;
    } finally {
      clearTimeout(timer);
    }
  }

  async take(count: number): Promise<readonly WatchEvent[]> {
    const events: WatchEvent[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (event === undefined) break;
      events.push(event);
    }
    return events;
  }

  close(): void {
    this.#abort.abort();
  }
}

/** `ADDED a`, `DELETED b`. */
export function summary(event: WatchEvent | undefined): string {
  if (event === undefined) return 'end';
  return `${event.type} ${String(member(event.object, 'metadata')['name'])}`;
}

export function eventVersion(event: WatchEvent): bigint {
  return BigInt(versionOf(event.object));
}

async function* oneError(response: Response): AsyncGenerator<WatchEvent, void> {
  const status: unknown = await response.json();
  yield { type: 'ERROR', object: isJson(status) ? status : {} };
}

async function* readEvents(response: Response): AsyncGenerator<WatchEvent, void> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let held = '';
  const body: ReadableStream<Uint8Array> = response.body;
  for await (const chunk of body) {
    held += decoder.decode(chunk, { stream: true });
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      const event: unknown = JSON.parse(line);
      if (isJson(event)) yield { type: String(event['type']), object: member(event, 'object') };
    }
  }
}
