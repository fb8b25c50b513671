import { expired } from './api-error.ts';
import type { Change, ObjectDatabase, StoredObject } from './object-database.ts';
import type { ObjectView } from './object-view.ts';
import { type ObjectFilter, passes, passesAll } from './object-filter.ts';

/**
 * One watch as a stream of JSON lines. It keeps a cursor into the change log instead of a queue of its own: when the
 * reader is slow the cursor falls behind and is caught up from the log as the reader takes more, so a watch holds at most
 * `bufferBytes`; when the log was compacted past the cursor, the reader is told `410 Expired` and the stream ends.
 */
export interface WatchStreamOptions {
  /** `group/plural`. */
  readonly resource: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly view: ObjectView;
  readonly filter: ObjectFilter;
  /** Deliver changes after this version. */
  readonly fromVersion: number;
  /** First deliver everything that exists at `fromVersion`, as ADDED. */
  readonly initialState: boolean;
  /** After the initial state, a bookmark that says so (`sendInitialEvents`). */
  readonly markInitialEnd: boolean;
  readonly bookmarks: boolean;
  readonly bookmarkIntervalMs: number;
  /** The watch ends after this. */
  readonly timeoutMs: number;
  readonly bufferBytes: number;
  /** The server is closing. */
  readonly signal: AbortSignal;
}

export function openWatchStream(db: ObjectDatabase, options: WatchStreamOptions): ReadableStream<Uint8Array> {
  const watch = new WatchStream(db, options);
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        watch.start(controller);
      },
      pull: () => {
        watch.fill();
      },
      cancel: () => {
        watch.stop();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: options.bufferBytes }),
  );
}

class WatchStream {
  readonly #db: ObjectDatabase;
  readonly #options: WatchStreamOptions;
  readonly #cleanups: (() => void)[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #cursor: number;
  /** Where the initial state has been read to; undefined when it is done (or was not asked for). */
  #initialAfter: { namespace: string; name: string } | undefined;

  constructor(db: ObjectDatabase, options: WatchStreamOptions) {
    this.#db = db;
    this.#options = options;
    this.#cursor = options.fromVersion;
    if (options.initialState) this.#initialAfter = { namespace: '', name: '' };
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const { signal, bookmarkIntervalMs, timeoutMs, bookmarks } = this.#options;
    this.#controller = controller;
    // Headers leave with the first byte; readers skip blank lines.
    controller.enqueue(NEWLINE);
    this.#cleanups.push(
      this.#db.onChange((change) => {
        this.#onChange(change);
      }),
    );
    const end = (): void => {
      if (bookmarks) this.#bookmark();
      this.#close();
    };
    const timeout = setTimeout(end, timeoutMs);
    const ticker = bookmarks
      ? setInterval(() => {
          this.#bookmark();
        }, bookmarkIntervalMs)
      : undefined;
    signal.addEventListener('abort', end, { once: true });
    this.#cleanups.push(() => {
      clearTimeout(timeout);
      clearInterval(ticker);
      signal.removeEventListener('abort', end);
    });
    this.fill();
  }

  /** Sends what the reader has room for. */
  fill(): void {
    while (this.#hasRoom()) {
      if (this.#initialAfter !== undefined) {
        if (!this.#sendInitial(this.#initialAfter)) return;
      } else if (this.#cursor < this.#db.compactedVersion) {
        this.#expire();
        return;
      } else {
        const changes = this.#db.changesSince(this.#options.resource, this.#cursor, BATCH);
        for (const change of changes) this.#sendChange(change);
        if (changes.length < BATCH) {
          this.#cursor = this.#db.version;
          return;
        }
      }
    }
  }

  stop(): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
    this.#controller = undefined;
  }

  #onChange(change: Change): void {
    const caughtUp = this.#initialAfter === undefined && this.#cursor === change.version - 1;
    if (!caughtUp) {
      this.fill();
      return;
    }
    if (change.resource === this.#options.resource) {
      if (!this.#hasRoom()) return;
      this.#sendChange(change);
    }
    this.#cursor = change.version;
  }

  /** One batch of the initial state; false when it cannot go on. */
  #sendInitial(after: { namespace: string; name: string }): boolean {
    const { resource, filter, fromVersion, markInitialEnd } = this.#options;
    if (fromVersion < this.#db.compactedVersion) {
      this.#expire();
      return false;
    }
    const namespace = filter.namespace === undefined ? {} : { namespace: filter.namespace };
    const batch: StoredObject[] = [];
    for (const object of this.#db.list({ resource, ...namespace, atVersion: fromVersion, after })) {
      batch.push(object);
      if (batch.length === BATCH) break;
    }
    for (const object of batch) {
      if (passesAll(filter) || passes(filter, JSON.parse(object.body))) this.#sendObject('ADDED', object.body);
    }
    this.#initialAfter = batch.length < BATCH ? undefined : batch.at(-1);
    if (this.#initialAfter === undefined && markInitialEnd) this.#sendBookmark({ 'k8s.io/initial-events-end': 'true' });
    return true;
  }

  #sendChange(change: Change): void {
    this.#cursor = change.version;
    const { filter } = this.#options;
    if (filter.namespace !== undefined && filter.namespace !== change.namespace) return;
    const all = passesAll(filter);
    const is = !change.deleted && (all || passes(filter, JSON.parse(change.body)));
    const was = change.previous !== undefined && (all || passes(filter, JSON.parse(change.previous)));
    if (is) this.#sendObject(was ? 'MODIFIED' : 'ADDED', change.body);
    // What left the selection is deleted for this reader, in the state in which it was last seen.
    else if (was)
      this.#sendObject('DELETED', change.deleted ? change.body : atVersion(change.previous, change.version));
  }

  /** Only when nothing is owed: a bookmark says that everything before it was sent. */
  #bookmark(): void {
    this.fill();
    if (this.#initialAfter === undefined && this.#cursor === this.#db.version && this.#hasRoom()) this.#sendBookmark();
  }

  #sendBookmark(annotations?: Readonly<Record<string, string>>): void {
    const { kind, apiVersion } = this.#options;
    const metadata = {
      resourceVersion: String(this.#cursor),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    };
    this.#send('BOOKMARK', JSON.stringify({ kind, apiVersion, metadata }));
  }

  #expire(): void {
    const error = expired(`too old resource version: ${String(this.#cursor)} (${String(this.#db.compactedVersion)})`);
    this.#send('ERROR', JSON.stringify(error.body()));
    this.#close();
  }

  #sendObject(type: string, body: string): void {
    this.#send(type, this.#options.view.object(body));
  }

  #send(type: string, body: string): void {
    try {
      this.#controller?.enqueue(Buffer.from(`{"type":"${type}","object":${body}}\n`));
    } catch {
      // The reader is gone and its cancel has not come yet: the write that brought us here must not fail for it.
      this.stop();
    }
  }

  #hasRoom(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  #close(): void {
    const controller = this.#controller;
    this.stop();
    // Throws only when the reader has ended the stream already.
    if (controller?.desiredSize !== null) controller?.close();
  }
}

function atVersion(body: string, version: number): string {
  const object: unknown = JSON.parse(body);
  if (typeof object !== 'object' || object === null) return body;
  const metadata: unknown = Reflect.get(object, 'metadata');
  return JSON.stringify({ ...object, metadata: { ...(metadata ?? {}), resourceVersion: String(version) } });
}

const BATCH = 200;
const NEWLINE = new TextEncoder().encode('\n');
