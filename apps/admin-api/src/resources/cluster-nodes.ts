/** The Node objects of the cluster, watched: the only kind that is kept in memory. */
import { type AnnotationKeys, type NodeRecord, parseNode } from '@canal/api-schema';
import type { Logger } from '@canal/runtime-port';
import { type FieldTree, NODES, type Store } from '@canal/store-port';
import { ProblemError } from '../handler.ts';

export interface ClusterNodesDeps {
  readonly store: Store;
  readonly keys: AnnotationKeys;
  /** Annotations beside flannel's that are kept. */
  readonly annotations?: readonly string[];
  readonly log: Logger;
}

export interface ClusterNode {
  readonly name: string;
  /** Absent when the object cannot be read: then `problem` says why. */
  readonly record?: NodeRecord;
  readonly problem?: string;
}

/** All that parseNode reads. */
const FIELDS: FieldTree = {
  metadata: { name: true, uid: true, creationTimestamp: true, annotations: true },
  spec: { podCIDR: true, podCIDRs: true },
  status: { addresses: true, conditions: true },
};

export class ClusterNodes {
  readonly #deps: ClusterNodesDeps;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #listeners = new Set<() => void>();
  #names: readonly string[] | undefined;
  #inSync = false;
  #error: string | undefined;

  constructor(deps: ClusterNodesDeps) {
    this.#deps = deps;
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, keys, annotations = [], log } = this.#deps;
    const keep = new Set([...Object.values<string>({ ...keys }), ...annotations]);
    const parse = (object: unknown): ReturnType<typeof parseNode> => parseNode(object, keep);
    for await (const event of store.watch(NODES, parse, { fields: FIELDS }, signal)) {
      switch (event.type) {
        case 'connection':
          this.#error = event.error;
          if (!event.connected) log.warn({ error: event.error }, 'nodes are not watched, connecting again');
          continue;
        case 'in-sync':
          this.#inSync = true;
          break;
        case 'put':
          this.#put(event.key, event.parsed);
          break;
        case 'delete':
          this.#nodes.delete(event.key);
          this.#names = undefined;
          break;
      }
      for (const listen of this.#listeners) listen();
    }
  }

  get inSync(): boolean {
    return this.#inSync;
  }

  /** In order. Throws ProblemError as long as they are not all known. */
  names(): readonly string[] {
    this.#demandSync();
    return (this.#names ??= [...this.#nodes.keys()].sort());
  }

  /** Throws ProblemError as long as they are not all known. */
  get(name: string): ClusterNode | undefined {
    this.#demandSync();
    return this.#nodes.get(name);
  }

  /** Called after each change until the signal aborts. */
  listen(listener: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  #put(name: string, parsed: ReturnType<typeof parseNode>): void {
    if (!this.#nodes.has(name)) this.#names = undefined;
    this.#nodes.set(name, parsed.ok ? { name, record: parsed.value } : { name, problem: parsed.error });
  }

  #demandSync(): void {
    if (this.#inSync) return;
    const why = this.#error === undefined ? '' : `: ${this.#error}`;
    throw new ProblemError('unavailable', `the nodes are not all known yet${why}; try again`, { retryAfterSeconds: 2 });
  }
}
