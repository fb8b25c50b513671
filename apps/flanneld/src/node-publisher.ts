/**
 * What this node says of itself in its Node object: the annotations that peers read, and the NetworkUnavailable
 * condition. A loop of its own, so that an API server that does not answer never holds up the kernel.
 */
import {
  type AnnotationKeys,
  type AnnotationPatch,
  changedAnnotations,
  NODE_API_AUTHORITY,
  renderOwnAnnotations,
} from '@canal/api-schema';
import type { Peer } from '@canal/model';
import { createReconciler, type Reconciler } from '@canal/reconcile';
import type { Clock, Logger } from '@canal/runtime-port';
import { NODES, type Store } from '@canal/store-port';
import { withoutProgress } from '@canal/telemetry';
import { conditionPatch } from './node-condition.ts';
import type { NodeTable } from './node-table.ts';

export interface NodePublisherDeps {
  readonly store: Store;
  readonly nodes: NodeTable;
  readonly keys: AnnotationKeys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timeMs: () => number;
  readonly setCondition: boolean;
  /** PEM; undefined: there is no node API. */
  readonly authority: () => string | undefined;
  /** Called when annotations that had been there were put back. */
  readonly onRestored: (names: readonly string[]) => void;
}

type Item = 'annotations' | 'condition';

export class NodePublisher {
  readonly #deps: NodePublisherDeps;
  readonly #loop: Reconciler<Item>;
  #announcement: Peer | undefined;
  #networkUp = false;
  /** Values that the Node object was seen with: what it lacks later was stripped, or the object is a new one. */
  readonly #confirmed = new Map<string, string>();
  #conditionSetFor: string | undefined;

  constructor(deps: NodePublisherDeps) {
    this.#deps = deps;
    this.#loop = createReconciler<Item>(
      { clock: deps.clock, log: withoutProgress(deps.log) },
      {
        items: ['annotations', 'condition'],
        turn: async (items, { signal }) => ({ failures: await this.#turn(items, signal) }),
        minIntervalMs: 100,
        resyncIntervalMs: 60_000,
        retryFirstMs: 250,
        retryLongestMs: 30_000,
      },
    );
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  /** What peers shall read, from when the kernel is ready to hear from them. */
  announce(announcement: Peer): void {
    this.#announcement = announcement;
    this.#loop.markDirty('annotations');
  }

  /** The admin API trusts what is published. */
  authorityChanged(): void {
    this.#loop.markDirty('annotations');
  }

  /** The first full sync is done: pods may be scheduled here. */
  networkIsUp(): void {
    if (this.#networkUp) return;
    this.#networkUp = true;
    this.#loop.markDirty('condition');
  }

  /** The Node object changed: stripped, re-created, or written by ourselves. */
  nodeChanged(): void {
    this.#confirm();
    this.#loop.markAllDirty();
  }

  async #turn(items: ReadonlySet<Item>, signal: AbortSignal): Promise<ReadonlyMap<Item, Error>> {
    const failures = new Map<Item, Error>();
    for (const item of items) {
      if (signal.aborted) break;
      try {
        await (item === 'annotations' ? this.#writeAnnotations() : this.#writeCondition());
      } catch (error) {
        failures.set(item, error instanceof Error ? error : new Error(String(error)));
      }
    }
    return failures;
  }

  async #writeAnnotations(): Promise<void> {
    const { nodes, keys, store, log } = this.#deps;
    const node = nodes.own;
    if (node === undefined) return;
    const patch = this.#wanted(keys);
    const changed = changedAnnotations(patch, node.annotations);
    const lost = Object.entries(changed).filter(([key, value]) => value !== null && this.#confirmed.get(key) === value);
    this.#confirm();
    if (Object.keys(changed).length === 0) return;
    await store.mergePatch(NODES, node.name, { metadata: { annotations: changed } }, { subresource: 'status' });
    log.info({ annotations: changed }, 'annotations written');
    for (const [key] of lost) this.#confirmed.delete(key);
    if (lost.length > 0) this.#deps.onRestored(lost.map(([key]) => key));
  }

  /** How agents are reached does not wait for the network: what is wrong with it is asked over this. */
  #wanted(keys: AnnotationKeys): AnnotationPatch {
    return {
      [NODE_API_AUTHORITY]: this.#deps.authority() ?? null,
      ...(this.#announcement && renderOwnAnnotations(this.#announcement, keys)),
    };
  }

  #confirm(): void {
    const node = this.#deps.nodes.own;
    if (node === undefined) return;
    for (const [key, value] of Object.entries(this.#wanted(this.#deps.keys))) {
      if (node.annotations[key] === value) this.#confirmed.set(key, value);
    }
  }

  async #writeCondition(): Promise<void> {
    const { nodes, store, log, setCondition } = this.#deps;
    const record = nodes.own;
    if (!setCondition || !this.#networkUp || record === undefined) return;
    // Set once for an object: where a cloud's route controller owns the condition, two writers would never end.
    const present = record.networkUnavailable;
    if (present?.status === 'False' || (present !== undefined && this.#conditionSetFor === record.uid)) return;
    const node = await store.get(NODES, record.name);
    if (node === undefined) return;
    const patch = conditionPatch(node, new Date(this.#deps.timeMs()));
    if (patch !== undefined) {
      await store.mergePatch(NODES, record.name, patch, { subresource: 'status' });
      log.info({ node: record.name }, 'NetworkUnavailable set to False');
    }
    this.#conditionSetFor = record.uid;
  }
}
