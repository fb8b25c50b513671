/**
 * What agents ask of a store of Kubernetes-shaped objects. Watching is level-triggered: a consumer keeps the latest
 * value per key, and everything before the first `in-sync` is what a list would have given.
 */

/** A served resource: `{group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false}`. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** metadata of every object; values are strings as the API gives them. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** Compared for equality; ordered only when both are decimal numbers (`compareResourceVersions`). */
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** Projection and typed parse of one object: keeps only what the agent uses. A failure is data, never a throw. */
export type Parse<T> = (object: KubeObject) => Parsed<T>;

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  /** What cannot be parsed stays known by name, with the reason: consumers close for it, they never skip it. */
  | { readonly ok: false; readonly error: string };

export type StoreEvent<T> =
  /** Added or changed; `key` is `namespace/name`, or `name` for cluster-scoped kinds. */
  | { readonly type: 'put'; readonly key: string; readonly parsed: Parsed<T>; readonly resourceVersion: string }
  | { readonly type: 'delete'; readonly key: string }
  /** Everything that existed has been delivered. Sent once, and never taken back: a relist is delivered as puts and deletes. */
  | { readonly type: 'in-sync' }
  /** The connection's state changed; for health and metrics alone. */
  | { readonly type: 'connection'; readonly connected: boolean; readonly error?: string };

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** All that the parse reads: a store may leave out the rest of each object. Default: everything. */
  readonly fields?: FieldTree;
}

/**
 * Fields of an object by their JSON names; `true` is a field with all that is in it. Lists are passed through:
 * `{spec: {containers: {ports: true}}}` are the ports of each container.
 */
export interface FieldTree {
  readonly [field: string]: true | FieldTree;
}

export interface Store {
  /**
   * Lists, then watches: reconnects, resumes and relists by itself, whatever the server does. The iteration ends when the
   * signal aborts (or the consumer leaves the loop), and never throws. Events of one key are coalesced while the consumer
   * is busy, so that what waits is bounded by the number of objects.
   */
  watch<T>(
    type: ResourceType,
    parse: Parse<T>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<StoreEvent<T>>;
  get(type: ResourceType, name: string, namespace?: string): Promise<KubeObject | undefined>;
  list(type: ResourceType, options?: WatchOptions): Promise<readonly KubeObject[]>;
  create(type: ResourceType, object: KubeObject): Promise<KubeObject>;
  update(type: ResourceType, object: KubeObject): Promise<KubeObject>;
  /** RFC 7386 merge patch; `subresource: 'status'` writes the status half alone. */
  mergePatch(type: ResourceType, name: string, patch: unknown, options?: PatchOptions): Promise<KubeObject>;
  delete(type: ResourceType, name: string, namespace?: string): Promise<void>;
}

export interface PatchOptions {
  readonly namespace?: string;
  readonly subresource?: 'status';
}
