/** The ground of a self-test in the cluster of a kubeconfig: a namespace of its own, which goes again whatever happens. */
import { randomBytes } from 'node:crypto';
import type { KubeConnection } from '@canal/store-kube';
import {
  isNotFound,
  type KubeObject,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  SERVICE_ACCOUNTS,
  SERVICES,
  type Store,
  StoreError,
} from '@canal/store-port';
import { textAt, valueAt } from '../objects/json-object.ts';
import { UsageError } from '../report-error.ts';
import { DAEMON_SET } from '../uninstall/cluster-plan.ts';
import { DAEMON_SETS } from '../uninstall/resources.ts';
import { untilAborted } from '../until-aborted.ts';
import {
  accountObject,
  NAMESPACE_SELECTOR,
  namespaceObject,
  podObject,
  type PodSettings,
  type PodWish,
  SERVICE_NAME,
  serviceObject,
} from './cluster-objects.ts';
import { TEST_PORT } from './echo-server.ts';
import { openPodControl, type PodControl } from './pod-control.ts';
import type { Absent, TestGround, TestNode, TestPod, TestService } from './test-ground.ts';
import type { TestResult } from './test-result.ts';
import { listAt, podStateOf, type PodState } from './watch-pods.ts';

export interface ClusterGroundDeps {
  readonly store: Store;
  readonly connection: KubeConnection;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly onProgress: (text: string) => void;
  readonly onWarning: (text: string) => void;
}

export interface ClusterGroundOptions {
  /** Where canal is installed. */
  readonly canalNamespace: string;
  /** Empty: the first that are ready, as many as `count`. */
  readonly nodes: readonly string[];
  readonly count: number;
  readonly image?: string | undefined;
  /** Until which pods must be up, of `performance.now()`. */
  readonly deadlineMs: number;
  /** After which nothing of a pod is waited for. */
  readonly endMs: number;
}

/** A run lasts a minute: what is older was left by one that was killed. */
const LEFT_AFTER_MS = 10 * 60_000;
const START_MS = 30_000;
/** How long the kubelet may take to reach a pod that runs. */
const READY_MS = 8000;
const POLL_MS = 300;
const KUBELET_PORT = 10_250;

export async function withClusterGround<T>(
  deps: ClusterGroundDeps,
  options: ClusterGroundOptions,
  work: (ground: TestGround) => Promise<T>,
): Promise<T> {
  const { store, signal, onProgress, onWarning } = deps;
  onProgress('reading the cluster');
  const [image, nodes] = await untilAborted(
    signal,
    Promise.all([imageOf(store, options), chooseNodes(store, options)]),
  );
  await untilAborted(signal, removeLeft(deps));
  const settings = {
    namespace: `canal-test-${randomBytes(4).toString('hex')}`,
    image,
    token: randomBytes(16).toString('hex'),
  };
  onProgress(`starting pods on ${nodes.map(({ name }) => name).join(', ')}`);
  // Whoever is refused this has made nothing. It is not left behind when the signal aborts: it might come about after that.
  await store.create(NAMESPACES, namespaceObject(settings.namespace));
  const controls: PodControl[] = [];
  const making = make(store, settings, nodes);
  try {
    await untilAborted(signal, making);
    return await work(await layGround(deps, options, settings, nodes, controls));
  } finally {
    for (const control of controls) control.close();
    await making.catch(() => undefined);
    onProgress('taking the pods away');
    await removeNamespace(store, settings.namespace).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      onWarning(
        `namespace ${settings.namespace} stays: ${why}\n  "kubectl delete namespace ${settings.namespace}" removes it`,
      );
    });
  }
}

async function imageOf(store: Store, { image, canalNamespace }: ClusterGroundOptions): Promise<string> {
  if (image !== undefined) return image;
  const daemonSet = await store.get(DAEMON_SETS, DAEMON_SET, canalNamespace);
  const [container] = listAt(daemonSet, 'spec', 'template', 'spec', 'containers');
  const found = textAt(container, 'image');
  if (found !== undefined) return found;
  throw new StoreError(
    'not-found',
    `there is no DaemonSet ${canalNamespace}/${DAEMON_SET}, whose image the pods run from`,
  );
}

/** Throws UsageError for a node that is not there. */
async function chooseNodes(store: Store, { nodes: wanted, count }: ClusterGroundOptions): Promise<readonly TestNode[]> {
  const all = (await store.list(NODES)).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const unknown = wanted.filter((name) => !all.some(({ metadata }) => metadata.name === name));
  if (unknown.length > 0) {
    throw new UsageError(`--node: there is no node ${unknown.join(', ')}`, '"kubectl get nodes" lists them');
  }
  const chosen =
    wanted.length > 0
      ? all.filter(({ metadata }) => wanted.includes(metadata.name))
      : all.filter((node) => isReady(node) && isLinux(node)).slice(0, count);
  if (chosen.length === 0) throw new StoreError('not-found', `none of ${all.length} nodes is ready`);
  return chosen.map((node) => {
    const addresses = listAt(node, 'status', 'addresses').filter((one) => textAt(one, 'type') === 'InternalIP');
    const port = valueAt(node, 'status', 'daemonEndpoints', 'kubeletEndpoint', 'Port');
    return {
      name: node.metadata.name,
      ips: addresses.flatMap((one) => textAt(one, 'address') ?? []),
      port: typeof port === 'number' && port > 0 ? port : KUBELET_PORT,
    };
  });
}

function isLinux({ metadata }: KubeObject): boolean {
  return (metadata.labels?.['kubernetes.io/os'] ?? 'linux') === 'linux';
}

function isReady(node: KubeObject): boolean {
  return listAt(node, 'status', 'conditions').some(
    (one) => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True',
  );
}

async function removeLeft({ store, now, onWarning }: ClusterGroundDeps): Promise<void> {
  for (const { metadata } of await store.list(NAMESPACES, { labelSelector: NAMESPACE_SELECTOR })) {
    const ageMs = now().getTime() - Date.parse(metadata.creationTimestamp ?? '');
    if (metadata.deletionTimestamp !== undefined || !(ageMs > LEFT_AFTER_MS)) continue;
    onWarning(`namespace ${metadata.name} was left by a run that was killed: it is removed`);
    await removeNamespace(store, metadata.name);
  }
}

async function removeNamespace(store: Store, name: string): Promise<void> {
  await store.delete(NAMESPACES, name).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

function wishesOf(nodes: readonly TestNode[]): readonly PodWish[] {
  return nodes.flatMap(({ name: node }, index) =>
    (['client', 'server'] as const).map((role) => ({ name: `${role}-${index + 1}`, node, role })),
  );
}

async function make(store: Store, settings: PodSettings, nodes: readonly TestNode[]): Promise<void> {
  const { namespace } = settings;
  await store.create(SERVICE_ACCOUNTS, accountObject(namespace));
  const pods = wishesOf(nodes).map((wish) => store.create(PODS, podObject(wish, settings)));
  await allOf([...pods, store.create(SERVICES, serviceObject(namespace))]);
}

/** As Promise.all, but nothing is under way any more when it throws. */
async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function layGround(
  deps: ClusterGroundDeps,
  options: ClusterGroundOptions,
  settings: PodSettings,
  nodes: readonly TestNode[],
  controls: PodControl[],
): Promise<TestGround> {
  const { store, connection, signal } = deps;
  const { namespace, token } = settings;
  const startMs = performance.now();
  const states = await waitForPods(deps, options, namespace, wishesOf(nodes));
  const tookMs = performance.now() - startMs;
  const byPod = new Map<string, PodControl>();
  const results: TestResult[] = [];
  for (const { name: node } of nodes) {
    const own = states.filter(({ wish }) => wish.node === node);
    const client = own.find(({ wish }) => wish.role === 'client');
    const problem =
      own.flatMap(problemOf).at(0) ??
      (await controlProblem(client, async (pod) => {
        const control = await openPodControl(connection, { namespace, name: pod, token, endMs: options.endMs }, signal);
        controls.push(control);
        byPod.set(pod, control);
      }));
    results.push(
      startResult(node, problem, tookMs),
      ...(problem === undefined ? [nodeToPodResult(node, own, tookMs)] : []),
    );
  }
  const [service, apiServer, dns] = await untilAborted(
    signal,
    Promise.all([
      findService(store, SERVICE_NAME, namespace),
      findService(store, 'kubernetes', 'default'),
      findDns(store),
    ]),
  );
  const podsOf = (role: PodWish['role']): readonly TestPod[] =>
    states.flatMap(({ wish, state }) => {
      const isUp = results.some(({ id, verdict }) => id === `start/${wish.node}` && verdict === 'ok');
      if (wish.role !== role || !isUp || !('ips' in state)) return [];
      return [{ name: wish.name, node: wish.node, ips: state.ips }];
    });
  return {
    namespace,
    clients: podsOf('client'),
    servers: podsOf('server'),
    nodes,
    nodesDial: false,
    service,
    apiServer,
    dns,
    results,
    dial: async (from, requests) => {
      const control = 'pod' in from ? byPod.get(from.pod) : undefined;
      if (control === undefined) throw new Error(`nothing can be tried from ${JSON.stringify(from)}`);
      try {
        return await control.dial(requests);
      } catch (error) {
        signal.throwIfAborted();
        const message = `the pod that was to try it cannot be reached any more: ${textOf(error)}`;
        return requests.map(() => ({ ok: false, why: 'other', message }));
      }
    },
    applyPolicy: async (policy) => {
      await store.create(NETWORK_POLICIES, policy);
    },
  };
}

interface WishedPod {
  readonly wish: PodWish;
  readonly state: PodState;
}

async function waitForPods(
  { store, signal }: ClusterGroundDeps,
  { deadlineMs }: ClusterGroundOptions,
  namespace: string,
  wishes: readonly PodWish[],
): Promise<readonly WishedPod[]> {
  const endMs = Math.min(deadlineMs, performance.now() + START_MS);
  let runningMs: number | undefined;
  for (;;) {
    const pods = await untilAborted(signal, store.list(PODS, { namespace }));
    const states = wishes.map((wish) => ({
      wish,
      state: podStateOf(pods.find(({ metadata }) => metadata.name === wish.name)),
    }));
    const nowMs = performance.now();
    const count = (type: PodState['type']): number => states.filter(({ state }) => state.type === type).length;
    if (count('waiting') === 0) runningMs ??= nowMs;
    if (count('waiting') + count('running') === 0 || nowMs >= endMs) return states;
    if (runningMs !== undefined && nowMs >= runningMs + READY_MS) return states;
    await untilAborted(signal, Bun.sleep(POLL_MS));
  }
}

function problemOf({ wish, state }: WishedPod): readonly string[] {
  return 'why' in state ? [`pod ${wish.name}: ${state.why}`] : [];
}

/** What the user may not do ends the run; what a node does not do is that node's result. */
async function controlProblem(
  client: WishedPod | undefined,
  open: (pod: string) => Promise<void>,
): Promise<string | undefined> {
  if (client === undefined) return 'it has no pod';
  try {
    await open(client.wish.name);
    return undefined;
  } catch (error) {
    if (error instanceof StoreError && ['forbidden', 'unauthorized'].includes(error.code)) throw error;
    return `no port-forward to pod ${client.wish.name}: ${textOf(error)}`;
  }
}

function startResult(node: string, problem: string | undefined, tookMs: number): TestResult {
  const facts = { id: `start/${node}`, group: 'start', what: `pods start, on ${node}`, tookMs } as const;
  if (problem === undefined) return { ...facts, verdict: 'ok', found: `within ${(tookMs / 1000).toFixed(1)} s` };
  return { ...facts, verdict: 'fail', found: 'no', cause: problem, next: START_NEXT };
}

const START_NEXT =
  '"kubectl get events -A" and the logs of kubelet and flanneld on that node say more; an image of an older canal lacks what pods of ' +
  'the test run: --image names another; for the port-forward the API server must reach the kubelet';

/** The readiness probe is a connection from the node to the pod. */
function nodeToPodResult(node: string, pods: readonly WishedPod[], tookMs: number): TestResult {
  const facts = { id: `node-to-pod/${node}`, group: 'node-to-pod', what: `node to pod, on ${node}`, tookMs } as const;
  const shut = pods.filter(({ state }) => state.type !== 'ready').map(({ wish }) => wish.name);
  if (shut.length === 0) return { ...facts, verdict: 'ok', found: 'the kubelet reaches both pods by TCP' };
  return {
    ...facts,
    verdict: 'fail',
    found: `the kubelet does not reach ${shut.join(', ')}`,
    cause: `TCP ${TEST_PORT}: no connection from the node to its own pods`,
    next: 'see that no firewall on the node keeps its own packets from pods: "canalctl check" there shows chains that drop',
  };
}

async function findService(store: Store, name: string, namespace: string): Promise<TestService | Absent> {
  const service = await readIfAllowed(store.get(SERVICES, name, namespace));
  if (service === 'forbidden') return { absent: `the user may not read the service ${namespace}/${name}` };
  const ips = listAt(service, 'spec', 'clusterIPs').filter((ip) => typeof ip === 'string');
  const port = valueAt(listAt(service, 'spec', 'ports')[0], 'port');
  if (ips.length === 0 || typeof port !== 'number')
    return { absent: `the service ${namespace}/${name} has no address` };
  return { name, ips, port };
}

/** Of kubeadm and of all who follow it. */
const DNS_SELECTOR = 'k8s-app=kube-dns';

async function findDns(store: Store): Promise<'there' | Absent> {
  const found = await readIfAllowed(store.list(SERVICES, { namespace: 'kube-system', labelSelector: DNS_SELECTOR }));
  if (found === 'forbidden') return { absent: 'the user may not list the services of kube-system' };
  return found.length > 0 ? 'there' : { absent: `kube-system has no service with ${DNS_SELECTOR}` };
}

async function readIfAllowed<T>(reading: Promise<T>): Promise<T | 'forbidden'> {
  return await reading.catch((error: unknown) => {
    if (error instanceof StoreError && error.code === 'forbidden') return 'forbidden';
    throw error;
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
