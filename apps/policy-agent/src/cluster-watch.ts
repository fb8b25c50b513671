/** The four streams of the API server into their consumers; one stream a kind, of the fields that policy uses alone. */
import type { StreamStatusMessage } from '@canal/agent-protocol';
import type { Logger } from '@canal/runtime-port';
import type { FieldTree, Parse, ResourceType, Store } from '@canal/store-port';
import type { AgentMetrics } from './agent-metrics.ts';

/** Where the objects of one kind go. */
export interface StreamConsumer<T> {
  readonly type: ResourceType;
  readonly parse: Parse<T>;
  /** All that `parse` reads, for a kind of which there are many. Default: everything. */
  readonly fields?: FieldTree;
  put(value: T, key: string, resourceVersion: string): void;
  /** An object that cannot be read at all: what depends on it closes. */
  refuse(key: string, error: string): void;
  delete(key: string): void;
}

export interface ClusterWatchDeps {
  readonly store: Store;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  /** An object of the kind came, changed or went. */
  readonly onChange: (kind: string) => void;
  /** Everything that existed at the start is known; called once. */
  readonly onInSync: () => void;
}

interface Stream {
  readonly kind: string;
  readonly keys: Set<string>;
  readonly unreadable: Map<string, string>;
  readonly follow: (signal: AbortSignal) => Promise<void>;
  inSync: boolean;
  connected: boolean;
  error?: string;
}

export class ClusterWatch {
  readonly #deps: ClusterWatchDeps;
  readonly #streams: Stream[] = [];

  constructor(deps: ClusterWatchDeps) {
    this.#deps = deps;
  }

  add<T>(consumer: StreamConsumer<T>): void {
    const stream: Stream = {
      kind: consumer.type.kind,
      keys: new Set(),
      unreadable: new Map(),
      follow: (signal) => this.#follow(stream, consumer, signal),
      inSync: false,
      connected: false,
    };
    this.#streams.push(stream);
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.follow(signal)));
  }

  get inSync(): boolean {
    return this.#streams.every(({ inSync }) => inSync);
  }

  status(): readonly StreamStatusMessage[] {
    return this.#streams.map(({ kind, inSync, connected, keys, error }) => ({
      kind,
      inSync,
      connected,
      objects: keys.size,
      ...(error !== undefined && { error }),
    }));
  }

  /** Objects that cannot be read, as sentences. */
  unreadable(): readonly { readonly kind: string; readonly key: string; readonly error: string }[] {
    return this.#streams.flatMap(({ kind, unreadable }) =>
      [...unreadable].map(([key, error]) => ({ kind, key, error })),
    );
  }

  async #follow<T>(stream: Stream, consumer: StreamConsumer<T>, signal: AbortSignal): Promise<void> {
    const { store, onChange } = this.#deps;
    const { kind } = stream;
    const options = consumer.fields === undefined ? {} : { fields: consumer.fields };
    for await (const event of store.watch(consumer.type, consumer.parse, options, signal)) {
      switch (event.type) {
        case 'connection':
          this.#connection(stream, event.connected, event.error);
          continue;
        case 'in-sync':
          stream.inSync = true;
          this.#deps.log.info({ kind, objects: stream.keys.size }, 'all objects of a kind are known');
          if (this.inSync) this.#deps.onInSync();
          continue;
        case 'put':
          stream.keys.add(event.key);
          this.#note(stream, event.key, event.parsed.ok ? undefined : event.parsed.error);
          if (event.parsed.ok) consumer.put(event.parsed.value, event.key, event.resourceVersion);
          else consumer.refuse(event.key, event.parsed.error);
          break;
        case 'delete':
          stream.keys.delete(event.key);
          this.#note(stream, event.key, undefined);
          consumer.delete(event.key);
          break;
      }
      onChange(kind);
    }
  }

  #note({ kind, unreadable }: Stream, key: string, error: string | undefined): void {
    if (error !== undefined) unreadable.set(key, error);
    else if (!unreadable.delete(key)) return;
    this.#deps.metrics.unreadableObjects.set(unreadable.size, { kind });
  }

  #connection(stream: Stream, connected: boolean, error: string | undefined): void {
    const { log, metrics } = this.#deps;
    const { kind } = stream;
    stream.connected = connected;
    if (error === undefined) delete stream.error;
    else stream.error = error;
    metrics.apiConnected.set(connected ? 1 : 0, { kind });
    if (connected) {
      log.info({ kind }, 'watching');
    } else {
      metrics.apiReconnects.inc({ kind });
      log.warn({ kind, error }, 'not watched, connecting again; the rules stay as they are');
    }
  }
}
