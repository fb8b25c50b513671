/**
 * Pods of this node by name, so that an endpoint that the plugin announces is judged at once. The plugin is often ahead
 * of the watch: then the pod is fetched.
 */
import { parsePolicyPod, POLICY_POD_FIELDS } from '@canal/api-schema';
import type { PolicyEndpoint, PolicyPod } from '@canal/model';
import type { PolicyEngine } from '@canal/policy-compile';
import type { Clock, Logger } from '@canal/runtime-port';
import { compareResourceVersions, type KubeObject, type Parsed, PODS, type Store } from '@canal/store-port';
import type { StreamConsumer } from './cluster-watch.ts';

export interface LocalPodsDeps {
  readonly store: Pick<Store, 'get'>;
  readonly engine: Pick<PolicyEngine, 'putPod' | 'deletePod'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** A pod was fetched: the engine knows more. */
  readonly onFetched: () => void;
}

/**
 * Then nothing tells a pod from the one that had its name before (a StatefulSet's keep theirs), nor, when the agent starts
 * anew, a sandbox that is left over from its successor: by name alone it would get the rules of another.
 */
export const NO_UID =
  'the container runtime does not pass K8S_POD_UID in CNI_ARGS, and a name could be that of an earlier pod. ' +
  'Update the runtime (containerd does so since 1.5.3), then delete the pod so that it is made anew';

/** `known`, or why the endpoint stays isolated. */
export type PodLookup = { readonly known: true } | { readonly known: false; readonly reason: string };

type PodReference = NonNullable<PolicyEndpoint['pod']>;

/** The plugin's caller waits behind it. */
const FETCH_LIMIT_MS = 2_000;
/** The watch is seldom so far behind. */
const CONFIRM_MS = 30_000;

/** What the watch told of a pod while it was fetched. */
interface Meanwhile {
  version?: string;
  wasDeleted?: boolean;
}

/** A pod as it was when it was fetched. Its node is not asked: the engine judges it by its uid alone. */
interface Fetched {
  readonly uid: string;
  readonly version: string;
}

export class LocalPods implements StreamConsumer<PolicyPod> {
  readonly type = PODS;
  readonly parse = (object: KubeObject): Parsed<PolicyPod> => parsePolicyPod(object);
  readonly fields = POLICY_POD_FIELDS;
  readonly #deps: LocalPodsDeps;
  /** Uids by `namespace/name`. */
  readonly #uids = new Map<string, string>();
  readonly #fetches = new Map<string, Promise<PodLookup>>();
  /** By key: of each fetch that is under way. */
  readonly #meanwhile = new Map<string, Set<Meanwhile>>();
  /** Pods that were fetched: what the watch tells that is older says nothing. */
  readonly #fetched = new Map<string, Fetched>();

  constructor(deps: LocalPodsDeps) {
    this.#deps = deps;
  }

  /**
   * A pod that was fetched, and was deleted before the watch told of it, is never told of: those that the watch has not
   * confirmed are asked for again. Until the signal aborts.
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(CONFIRM_MS, signal).catch(() => undefined);
      await this.#confirmAll(signal);
    }
  }

  async #confirmAll(signal: AbortSignal): Promise<void> {
    for (const [key, fetched] of [...this.#fetched]) {
      if (signal.aborted) return;
      await this.#confirm(key, fetched);
    }
  }

  async #confirm(key: string, fetched: Fetched): Promise<void> {
    const { store, onFetched } = this.#deps;
    const [namespace = '', name = ''] = key.split('/');
    let object: KubeObject | undefined;
    try {
      object = await store.get(PODS, name, namespace);
    } catch {
      // The next time.
      return;
    }
    const parsed = object && this.parse(object);
    const isSame = parsed?.ok === true && parsed.value.uid === fetched.uid;
    if (isSame || this.#fetched.get(key) !== fetched) return;
    this.delete(key);
    onFetched();
  }

  put(pod: PolicyPod, key: string, resourceVersion: string): void {
    for (const seen of this.#meanwhile.get(key) ?? []) seen.version = resourceVersion;
    const fetched = this.#fetched.get(key);
    if (fetched !== undefined) {
      if ((compareResourceVersions(resourceVersion, fetched.version) ?? 0) < 0) return;
      this.#fetched.delete(key);
    }
    this.#take(pod, key);
  }

  /** Nobody knows what policy says of it: as if it were not there. An endpoint keeps what the pod's last labels gave. */
  refuse(key: string): void {
    this.delete(key);
  }

  delete(key: string): void {
    for (const seen of this.#meanwhile.get(key) ?? []) seen.wasDeleted = true;
    this.#fetched.delete(key);
    this.#uids.delete(key);
    const slash = key.indexOf('/');
    this.#deps.engine.deletePod(key.slice(0, slash), key.slice(slash + 1));
  }

  isKnown(pod: PodReference): boolean {
    return this.#uids.get(keyOf(pod)) === pod.uid;
  }

  /** Known, if need be by asking the API server, at most for two seconds; an answer that comes later is taken then. */
  async lookUp(pod: PolicyEndpoint['pod']): Promise<PodLookup> {
    if (pod === undefined) return { known: false, reason: NO_UID };
    if (this.isKnown(pod)) return { known: true };
    const key = `${keyOf(pod)} ${pod.uid}`;
    let running = this.#fetches.get(key);
    if (running === undefined) {
      running = this.#fetch(pod).finally(() => this.#fetches.delete(key));
      this.#fetches.set(key, running);
    }
    return await this.#atMost(running);
  }

  async #atMost(fetch: Promise<PodLookup>): Promise<PodLookup> {
    const over = new AbortController();
    const limit = this.#deps.clock.sleep(FETCH_LIMIT_MS, over.signal).then((): PodLookup => ({
      known: false,
      reason: `the API server did not answer within ${FETCH_LIMIT_MS / 1000} s`,
    }));
    try {
      return await Promise.race([fetch, limit]);
    } finally {
      limit.catch(() => undefined);
      over.abort();
    }
  }

  async #fetch(pod: PodReference): Promise<PodLookup> {
    const key = keyOf(pod);
    const seen: Meanwhile = {};
    const all = this.#meanwhile.get(key) ?? new Set();
    this.#meanwhile.set(key, all.add(seen));
    try {
      return this.#taken(pod, await this.#deps.store.get(PODS, pod.name, pod.namespace), seen);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { known: false, reason: `the API server cannot be asked: ${message}` };
    } finally {
      all.delete(seen);
      if (all.size === 0) this.#meanwhile.delete(key);
    }
  }

  #taken(pod: PodReference, object: KubeObject | undefined, seen: Meanwhile): PodLookup {
    const { log, onFetched } = this.#deps;
    // The watch was faster.
    if (this.isKnown(pod)) return { known: true };
    if (object === undefined) return { known: false, reason: 'the API server knows no such pod' };
    const parsed = this.parse(object);
    if (!parsed.ok) return { known: false, reason: `the pod cannot be read: ${parsed.error}` };
    if (parsed.value.uid !== pod.uid) {
      return { known: false, reason: `the pod of that name is another one (uid ${parsed.value.uid})` };
    }
    const version = object.metadata.resourceVersion ?? '';
    const isOlder = seen.version !== undefined && (compareResourceVersions(version, seen.version) ?? -1) < 0;
    if (isOlder || seen.wasDeleted === true) {
      return { known: false, reason: 'the pod was changed while it was looked up' };
    }
    const key = keyOf(pod);
    log.debug({ pod: key }, 'pod fetched: the watch does not know it yet');
    this.#fetched.set(key, { uid: pod.uid, version });
    this.#take(parsed.value, key);
    onFetched();
    return { known: true };
  }

  #take(pod: PolicyPod, key: string): void {
    if (pod.node === this.#deps.nodeName) this.#uids.set(key, pod.uid);
    else this.#uids.delete(key);
    this.#deps.engine.putPod(pod);
  }
}

function keyOf(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}
