import type { ListWatch, WatchFrame } from './list-watch.ts';
import type { KubeObject } from './store.ts';
import { StoreError } from './store-error.ts';

/** How the fake server treats the next request. Requests beyond the plan are served well. */
export type Behaviour =
  /** Answer with this failure. */
  | { readonly type: 'refuse'; readonly status: 410 | 500 | 504 }
  /** Deliver this many items or frames, then cut the connection. */
  | { readonly type: 'cut'; readonly after: number }
  /** Deliver this many items or frames, then say nothing more and keep the connection open. */
  | { readonly type: 'hang'; readonly after: number }
  /** Deliver this many frames, then an ERROR event with this code. */
  | { readonly type: 'error-event'; readonly after: number; readonly code: 410 | 500 }
  /** Deliver frames twice. */
  | { readonly type: 'duplicate' }
  /** Deliver each two frames in the wrong order. */
  | { readonly type: 'reorder' }
  /** Forget one of the frames. */
  | { readonly type: 'lose'; readonly index: number }
  /** Say between frames how far the stream has come. */
  | { readonly type: 'bookmarks' };

interface Entry {
  readonly version: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
}

/** A server of one resource in memory, with a history, and with faults in the order of a plan. */
export class FakeListWatch implements ListWatch {
  readonly objects = new Map<string, Entry>();
  lists = 0;
  /** Versions that watches were asked to begin from. */
  readonly watchedFrom: number[] = [];
  /** Called between the pages of lists. */
  beforePage: (() => void) | undefined;
  /** Connections that were opened and not ended. */
  open = 0;
  #version = 1;
  #compacted = 0;
  readonly #history: Entry[] = [];
  readonly #plan: Behaviour[];
  readonly #waiting = new Set<() => void>();
  readonly #snapshots = new Map<string, readonly Entry[]>();

  constructor(plan: readonly Behaviour[] = []) {
    this.#plan = [...plan];
  }

  put(key: string, value: string): void {
    this.#write({ version: ++this.#version, key, value });
  }

  delete(key: string): void {
    if (this.objects.has(key)) this.#write({ version: ++this.#version, key, value: undefined });
  }

  /** Watches from, and pages of, what is before now are gone. */
  compact(): void {
    this.#compacted = this.#version;
    this.#snapshots.clear();
  }

  /** Another server takes its place: with these objects, and versions that begin anew. */
  restore(objects: Readonly<Record<string, string>>): void {
    this.objects.clear();
    this.#history.length = 0;
    this.#version = 1;
    this.#compacted = 0;
    for (const [key, value] of Object.entries(objects)) this.put(key, value);
  }

  async listPage(
    request: { readonly limit?: number; readonly continueToken?: string },
    onObject: (object: KubeObject) => void,
    signal: AbortSignal,
  ): Promise<{ resourceVersion: string; continueToken?: string }> {
    this.lists += 1;
    await turn();
    if (request.continueToken !== undefined) this.beforePage?.();
    const behaviour = this.#plan.shift();
    if (behaviour?.type === 'refuse') throw refusal(behaviour.status);
    const { version, rest } = this.#snapshot(request.continueToken);
    const page = rest.slice(0, request.limit ?? rest.length);
    for (const [index, entry] of page.entries()) {
      if (behaviour?.type === 'cut' && index === behaviour.after) throw new StoreError('unavailable', 'cut');
      if (behaviour?.type === 'hang' && index === behaviour.after) await never(signal);
      onObject(toObject(entry));
    }
    const left = rest.slice(page.length);
    if (left.length === 0) return { resourceVersion: String(version) };
    const continueToken = `${String(version)}/${String(this.#snapshots.size)}`;
    this.#snapshots.set(continueToken, left);
    return { resourceVersion: String(version), continueToken };
  }

  async watch(request: { readonly resourceVersion: string }, signal: AbortSignal): Promise<AsyncIterable<WatchFrame>> {
    await turn();
    const from = Number(request.resourceVersion);
    this.watchedFrom.push(from);
    const behaviour = this.#plan.shift();
    if (behaviour?.type === 'refuse') throw refusal(behaviour.status);
    if (from < this.#compacted) throw refusal(410);
    if (from > this.#version) throw refusal(504);
    return this.#frames(from, behaviour, signal);
  }

  async *#frames(
    from: number,
    behaviour: Behaviour | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<WatchFrame, void> {
    let cursor = from;
    let sent = 0;
    this.open += 1;
    try {
      for (;;) {
        const news = this.#history.filter((entry) => entry.version > cursor);
        cursor = news.at(-1)?.version ?? cursor;
        for (const frame of distort(news, behaviour)) {
          if (behaviour !== undefined && 'after' in behaviour && sent >= behaviour.after)
            yield* ending(behaviour, signal);
          sent += 1;
          yield frame;
        }
        if (behaviour !== undefined && 'after' in behaviour && sent >= behaviour.after)
          yield* ending(behaviour, signal);
        await this.#news(cursor, signal);
      }
    } finally {
      this.open -= 1;
    }
  }

  async #news(cursor: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#version > cursor) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.add(resolve);
      signal.addEventListener('abort', () => {
        this.#waiting.delete(resolve);
        reject(new StoreError('unavailable', 'aborted'));
      });
    });
  }

  #snapshot(token: string | undefined): { readonly version: number; readonly rest: readonly Entry[] } {
    if (token === undefined) return { version: this.#version, rest: [...this.objects.values()] };
    const rest = this.#snapshots.get(token);
    if (rest === undefined) throw refusal(410);
    return { version: Number(token.split('/', 1)[0]), rest };
  }

  #write(entry: Entry): void {
    if (entry.value === undefined) this.objects.delete(entry.key);
    else this.objects.set(entry.key, entry);
    this.#history.push(entry);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** The frames of some changes, as a faulty server gives them. */
function distort(news: readonly Entry[], behaviour: Behaviour | undefined): readonly WatchFrame[] {
  const frames = news.map(toFrame);
  switch (behaviour?.type) {
    case 'duplicate':
      return [...frames, ...frames];
    case 'reorder':
      return frames.flatMap((_, index) => (index % 2 === 0 ? frames.slice(index, index + 2).reverse() : []));
    case 'lose':
      return frames.filter((_, index) => index !== behaviour.index);
    case 'bookmarks':
      return news.flatMap((entry) => [toFrame(entry), { type: 'bookmark', resourceVersion: String(entry.version) }]);
    default:
      return frames;
  }
}

async function* ending(
  behaviour: Extract<Behaviour, { after: number }>,
  signal: AbortSignal,
): AsyncGenerator<WatchFrame, void> {
  if (behaviour.type === 'error-event') {
    const { code } = behaviour;
    yield { type: 'error', status: code, reason: code === 410 ? 'Expired' : 'InternalError', message: 'planned' };
  }
  if (behaviour.type === 'hang') await never(signal);
  throw new StoreError('unavailable', 'cut');
}

function toFrame(entry: Entry): WatchFrame {
  return { type: entry.value === undefined ? 'delete' : 'put', object: toObject(entry) };
}

function toObject(entry: Entry): KubeObject {
  return {
    metadata: { name: entry.key, resourceVersion: String(entry.version) },
    ...(entry.value === undefined ? {} : { value: entry.value }),
  };
}

function refusal(status: 410 | 500 | 504): StoreError {
  const codes = { 410: 'expired', 500: 'unavailable', 504: 'version-ahead' } as const;
  return new StoreError(codes[status], `refused with ${String(status)}`, { status });
}

/** Other things happen between a request and its answer. Only microtasks: the fake clock waits for those. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await Promise.resolve();
}

async function never(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_, reject) => {
    const fail = (): void => {
      reject(new StoreError('unavailable', 'aborted'));
    };
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
