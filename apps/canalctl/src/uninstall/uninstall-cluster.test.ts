/**
 * Over the embedded API server. It serves no DaemonSets, Jobs and RBAC: those are kept beside it, and a little controller
 * plays what Kubernetes does with them: agents' pods end when the DaemonSet selects no node any more or is deleted, those of the
 * admin API when its Deployment is changed, a Job gets a pod, and the pod an end.
 */
import { UNINSTALL_REPORT_KIND } from '@canal/api-schema';
import { createEmbeddedServer, type EmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { type KubeObject, NAMESPACES, NODES, PODS, type ResourceType, type Store, StoreError } from '@canal/store-port';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isJsonObject } from '../objects/json-object.ts';
import { planCluster } from './cluster-plan.ts';
import { renderPlan, renderResult } from './render.ts';
import { DAEMON_SETS, DEPLOYMENTS, JOBS } from './resources.ts';
import { type ClusterResult, uninstallCluster, type UninstallClusterOptions } from './uninstall-cluster.ts';

const NAMESPACE = 'canal-system';
const PREFIX = 'net.example.com/';
const PREFIX_FLAG = 'kube-annotation-prefix=net.example.com';

/** What a node's Job does. */
type Behaviour = 'succeeds' | 'succeeds-silently' | 'succeeds-unread' | 'fails' | 'crashes' | 'never-starts';

class Cluster {
  readonly store: Store;
  readonly log: string[] = [];
  readonly jobs: KubeObject[] = [];
  readonly behaviour = new Map<string, Behaviour>();
  readonly #server: EmbeddedServer;
  readonly #beside = new Map<string, KubeObject>();
  readonly #logs = new Map<string, string>();
  agentsEnd = true;
  adminApiEnds = true;

  constructor() {
    this.#server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'admin' }] });
    const { url } = this.#server.listen({ hostname: '127.0.0.1', port: 0 });
    const connection = { baseUrl: url, credentials: fixedCredentials({ token: new Secret('test') }) };
    this.store = this.#wrap(createKubeStore({ connection, clock: REAL_CLOCK }));
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  readLog(pod: string): Promise<string> {
    const log = this.#logs.get(pod);
    return log === undefined ? Promise.reject(new Error('no route to host')) : Promise.resolve(log);
  }

  /** Kinds that the embedded server lacks are answered from a map; everything else is its own. */
  #wrap(real: Store): Store {
    const forget = (key: string): void => {
      if (!this.#beside.delete(key)) throw new StoreError('not-found', `there is no ${key}`);
    };
    const isBeside = (type: ResourceType): boolean => type.group !== '';
    const keyOf = (type: ResourceType, name: string, namespace = ''): string => `${type.plural} ${namespace}/${name}`;
    return {
      watch: (type, parse, options, signal) => real.watch(type, parse, options, signal),
      get: (type, name, namespace) =>
        isBeside(type)
          ? Promise.resolve(this.#beside.get(keyOf(type, name, namespace)))
          : real.get(type, name, namespace),
      list: async (type, options = {}) => {
        if (!isBeside(type)) return await real.list(type, options);
        const all = [...this.#beside].filter(([key]) => key.startsWith(`${type.plural} `)).map(([, object]) => object);
        const [label = '', value] = (options.labelSelector ?? '').split('=');
        return label === '' ? all : all.filter(({ metadata }) => metadata.labels?.[label] === value);
      },
      create: async (type, object) => {
        if (!isBeside(type)) return await real.create(type, object);
        this.log.push(`create ${type.kind}`);
        this.#beside.set(keyOf(type, object.metadata.name, object.metadata.namespace), object);
        if (type.kind === 'Job') {
          this.jobs.push(object);
          await this.#startJob(real, object);
        }
        return object;
      },
      update: (type, object) => real.update(type, object),
      mergePatch: async (type, name, patch, options) => {
        if (!isBeside(type)) return await real.mergePatch(type, name, patch, options);
        const key = keyOf(type, name, options?.namespace);
        const present = this.#beside.get(key);
        if (present === undefined) throw new StoreError('not-found', `there is no ${key}`);
        const merged = merge(present, patch) as KubeObject;
        this.#beside.set(key, merged);
        this.log.push(`patch ${type.kind}`);
        if (type.kind === 'Deployment' && this.adminApiEnds) await this.#endPods(real, name);
        if (type.kind === 'DaemonSet' && selectsNoNode(merged) && this.agentsEnd) await this.#endPods(real, 'canal');
        return merged;
      },
      delete: async (type, name, namespace) => {
        if (!isBeside(type)) {
          await real.delete(type, name, namespace);
          return;
        }
        forget(keyOf(type, name, namespace));
        this.log.push(`delete ${type.kind}`);
        if (type.kind === 'DaemonSet' && this.agentsEnd) await this.#endPods(real, 'canal');
      },
    };
  }

  async #endPods(real: Store, app: string): Promise<void> {
    for (const { metadata } of await real.list(PODS, { namespace: NAMESPACE, labelSelector: `k8s-app=${app}` })) {
      await real.delete(PODS, metadata.name, NAMESPACE);
    }
  }

  async #startJob(real: Store, job: KubeObject): Promise<void> {
    const template = (job['spec'] as { template: { metadata: KubeObject['metadata']; spec: { nodeName: string } } })
      .template;
    const { name } = job.metadata;
    const node = template.spec.nodeName;
    const behaviour = this.behaviour.get(node) ?? 'succeeds';
    const labels = { ...template.metadata.labels, 'job-name': name };
    const pod = { metadata: { name: `${name}-x`, namespace: NAMESPACE, labels }, spec: template.spec };
    await real.create(PODS, { apiVersion: 'v1', kind: 'Pod', ...pod });
    const failed = behaviour === 'fails' || behaviour === 'crashes';
    const logs: Partial<Record<Behaviour, string>> = {
      crashes: '{"level":"error","msg":"no","cure":"do"}\n',
      'succeeds-silently': '',
    };
    if (behaviour !== 'succeeds-unread') this.#logs.set(`${name}-x`, logs[behaviour] ?? reportOf(failed));
    if (behaviour === 'never-starts') return;
    await real.mergePatch(
      PODS,
      `${name}-x`,
      { status: { phase: failed ? 'Failed' : 'Succeeded' } },
      { namespace: NAMESPACE, subresource: 'status' },
    );
  }
}

/** RFC 7386, of objects without null. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(target) || !isJsonObject(patch)) return patch;
  const changes = Object.entries(patch).map(([key, value]) => [key, merge(target[key], value)]);
  return { ...target, ...(Object.fromEntries(changes) as object) };
}

/** Nodes of the tests have the label kubernetes.io/os=linux and no other. */
function selectsNoNode(daemonSet: KubeObject): boolean {
  const { template } = daemonSet['spec'] as { template: { spec: { nodeSelector?: Record<string, string> } } };
  const selector = Object.entries(template.spec.nodeSelector ?? {});
  return selector.some(([key, value]) => key !== 'kubernetes.io/os' || value !== 'linux');
}

function reportOf(failed: boolean): string {
  const objects = [
    { kind: 'network', name: 'link delete flannel.1', outcome: failed ? 'failed' : 'removed' },
    { kind: 'sysctl', name: 'net.ipv4.conf.all.forwarding', outcome: 'restored', note: '1 -> 0' },
    { kind: 'cni-config', name: '/etc/cni/net.d/99.conflist', outcome: 'left', note: 'not ours\u001b[2J' },
  ];
  const report = { kind: UNINSTALL_REPORT_KIND, dryRun: false, pods: [{ containerId: 'c', pod: 'default/web' }] };
  const remaining = failed ? ['network link delete flannel.1'] : [];
  return `{"level":"info","msg":"x"}\n${JSON.stringify({ ...report, objects, remaining })}\n`;
}

/** For the client alone, whose time limits are real. */
const REAL_CLOCK = { nowMs: () => performance.now(), sleep: (delayMs: number) => Bun.sleep(delayMs) };

/** Time passes when somebody sleeps. */
let nowMs = 0;
const CLOCK = {
  nowMs: () => nowMs,
  sleep: async (delayMs: number): Promise<void> => {
    nowMs += delayMs;
    await Bun.sleep(0);
  },
};

let cluster: Cluster;
beforeEach(async () => {
  cluster = new Cluster();
  const { store } = cluster;
  await store.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  const template = {
    spec: {
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      imagePullSecrets: [{ name: 'registry' }],
      containers: [
        { name: 'flanneld', image: 'registry.test/canal:1', imagePullPolicy: 'Always', args: [`--${PREFIX_FLAG}`] },
      ],
    },
  };
  await store.create(DAEMON_SETS, {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'canal-node', namespace: NAMESPACE, labels: { 'k8s-app': 'canal' } },
    spec: { template },
  });
  for (const name of ['a', 'b']) await addNode(name);
});
afterEach(() => cluster.close());

async function addNode(name: string, ready = 'True'): Promise<void> {
  const { store } = cluster;
  const annotations = {
    [`${PREFIX}public-ip`]: '192.0.2.1',
    [`${PREFIX}public-ip-overwrite`]: '192.0.2.9',
    other: 'x',
  };
  await store.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations } });
  const conditions = [
    { type: 'Ready', status: ready, lastHeartbeatTime: '2026-01-01T00:00:00Z' },
    { type: 'NetworkUnavailable', status: 'False', reason: 'FlannelIsUp' },
  ];
  await store.mergePatch(NODES, name, { status: { conditions } }, { subresource: 'status' });
  await addPod(`canal-${name}`, name, { 'k8s-app': 'canal' }, true);
  await addPod(`web-${name}`, name, {}, false);
}

type Condition = Readonly<Record<string, string>>;

async function conditionsOf(name: string): Promise<readonly Condition[]> {
  const node = await cluster.store.get(NODES, name);
  return (node?.['status'] as { conditions: Condition[] }).conditions;
}

async function addPod(
  name: string,
  nodeName: string,
  labels: Record<string, string>,
  hostNetwork: boolean,
): Promise<void> {
  const spec = { nodeName, hostNetwork, containers: [{ name: 'c', image: 'i' }] };
  const metadata = { name, namespace: hostNetwork ? NAMESPACE : 'default', labels };
  await cluster.store.create(PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
}

async function run(
  options: Partial<UninstallClusterOptions> = {},
  nodes: readonly string[] = [],
): Promise<ClusterResult> {
  const plan = await planCluster(cluster.store, { namespace: NAMESPACE, nodes, defaultImage: 'default' });
  const deps = {
    store: cluster.store,
    clock: CLOCK,
    signal: new AbortController().signal,
    now: () => new Date('2026-01-02T03:04:05Z'),
    podLog: (_namespace: string, pod: string) => cluster.readLog(pod),
    onProgress: (text: string) => void cluster.log.push(text),
  };
  const all = {
    namespace: NAMESPACE,
    dryRun: false,
    keepObjects: false,
    isPartial: false,
    timeoutSeconds: 30,
    ...options,
  };
  return await uninstallCluster(deps, plan, all);
}

const outcomes = ({ nodes }: ClusterResult): string[] => nodes.map(({ node, outcome }) => `${node} ${outcome}`);
const podNames = async (): Promise<string[]> => (await cluster.store.list(PODS)).map(({ metadata }) => metadata.name);

describe('the plan', () => {
  test('has the image of the DaemonSet, the nodes, and counts the pods that lose their network', async () => {
    const plan = await planCluster(cluster.store, { namespace: NAMESPACE, nodes: [], defaultImage: 'default' });
    expect(plan).toMatchObject({
      image: 'registry.test/canal:1',
      daemonSetExists: true,
      nodes: [
        { name: 'a', pods: 1, hasAgent: true },
        { name: 'b', pods: 1, hasAgent: true },
      ],
    });
    expect(renderPlan(plan)).toMatch(/from 2 nodes[^]*2 pods on them[^]*The agents of DaemonSet canal-node end first/);
  });

  test('a node that is not there is a wrong command line', async () => {
    const options = { namespace: NAMESPACE, nodes: ['a', 'nosuch'], defaultImage: 'default' };
    await expect(planCluster(cluster.store, options)).rejects.toThrow('--node: there is no node nosuch');
  });
});

describe('the whole cluster', () => {
  test('agents end before the first Job starts; annotations of ours go, those of people stay; no Job is left', async () => {
    const result = await run();
    expect(outcomes(result)).toEqual(['a done', 'b done']);
    const steps = cluster.log.filter((line) => /^(?:patch|create Job|delete DaemonSet)/.test(line));
    expect(steps).toEqual(['patch DaemonSet', 'create Job', 'create Job', 'delete DaemonSet']);
    const node = await cluster.store.get(NODES, 'a');
    expect(node?.metadata.annotations).toEqual({ [`${PREFIX}public-ip-overwrite`]: '192.0.2.9', other: 'x' });
    expect(await conditionsOf('a')).toContainEqual(
      expect.objectContaining({ type: 'NetworkUnavailable', status: 'True', reason: 'CanalUninstalled' }),
    );
    expect(await podNames()).toEqual(['web-a', 'web-b']);
    expect(await cluster.store.list(JOBS)).toEqual([]);
    expect(result.objects).toEqual(['DaemonSet canal-system/canal-node', 'Namespace canal-system']);
  });

  describe('with an admin API', () => {
    beforeEach(async () => {
      const labels = { 'k8s-app': 'canal-admin-api' };
      const metadata = { name: 'canal-admin-api', namespace: NAMESPACE, labels: { 'k8s-app': 'canal' } };
      const spec = { replicas: 1, template: { spec: {} } };
      await cluster.store.create(DEPLOYMENTS, { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
      await addPod('canal-admin-api-x', 'a', labels, true);
    });

    test('its pods end first, as long as the plugin can end them; the Deployment goes with the DaemonSet', async () => {
      const result = await run({ keepObjects: true });
      const steps = cluster.log.filter((line) => /^(?:patch|create Job|delete D)/.test(line));
      expect(steps).toEqual([
        'patch Deployment',
        'patch DaemonSet',
        'create Job',
        'create Job',
        'delete DaemonSet',
        'delete Deployment',
      ]);
      expect(await podNames()).toEqual(['web-a', 'web-b']);
      expect(result.objects).toEqual(['DaemonSet canal-system/canal-node', 'Deployment canal-system/canal-admin-api']);
    });

    test('a pod of it that does not end stops it before an agent ends', async () => {
      cluster.adminApiEnds = false;
      await expect(run()).rejects.toThrow(
        'these pods of the admin API have not ended within 30 s: canal-admin-api-x (a)',
      );
      expect(cluster.log).not.toContain('patch DaemonSet');
    });
  });

  test('a second run after a node failed has image, pull secrets and prefix of the DaemonSet still', async () => {
    cluster.behaviour.set('a', 'fails');
    const { objectsKept } = await run();
    expect(objectsKept).toMatch(/run the same command again. Until then DaemonSet canal-node starts no agents/);
    cluster.behaviour.clear();
    cluster.jobs.length = 0;
    const result = await run();
    expect(outcomes(result)).toEqual(['a done', 'b done']);
    for (const job of cluster.jobs) {
      expect(job['spec']).toMatchObject({
        template: {
          spec: {
            imagePullSecrets: [{ name: 'registry' }],
            containers: [{ image: 'registry.test/canal:1', imagePullPolicy: 'Always' }],
          },
        },
      });
    }
    expect((await cluster.store.get(NODES, 'a'))?.metadata.annotations?.[`${PREFIX}public-ip`]).toBeUndefined();
    expect(await cluster.store.get(DAEMON_SETS, 'canal-node', NAMESPACE)).toBeUndefined();
  });

  test('--keep-objects keeps the others, and the DaemonSet only until every node is clean', async () => {
    cluster.behaviour.set('a', 'fails');
    expect((await run({ keepObjects: true })).objects).toEqual([]);
    expect(await cluster.store.get(DAEMON_SETS, 'canal-node', NAMESPACE)).toBeDefined();
    cluster.behaviour.clear();
    const result = await run({ keepObjects: true });
    expect(result).toMatchObject({ objects: ['DaemonSet canal-system/canal-node'], objectsKept: '--keep-objects' });
    expect(renderResult(result, false)).toMatch(/deleted: DaemonSet [^]*objects of canal in the cluster stay/);
    expect((await cluster.store.get(NAMESPACES, NAMESPACE))?.metadata.deletionTimestamp).toBeUndefined();
  });

  test('NetworkUnavailable of another CNI stays as it is, and none is made', async () => {
    const { store } = cluster;
    const ready = { type: 'Ready', status: 'True' };
    const foreign = { type: 'NetworkUnavailable', status: 'False', reason: 'CiliumIsUp' };
    await store.mergePatch(NODES, 'a', { status: { conditions: [ready, foreign] } }, { subresource: 'status' });
    await store.mergePatch(NODES, 'b', { status: { conditions: [ready] } }, { subresource: 'status' });
    const result = await run();
    expect(outcomes(result)).toEqual(['a done', 'b done']);
    expect(await conditionsOf('a')).toEqual([ready, foreign]);
    expect(await conditionsOf('b')).toEqual([ready]);
    expect(result.nodes[0]?.nodeObject).toEqual([`annotation ${PREFIX}public-ip`]);
  });

  test('a dry run deletes nothing and says what it would', async () => {
    const result = await run({ dryRun: true });
    expect(outcomes(result)).toEqual(['a done', 'b done']);
    expect(await podNames()).toEqual(['canal-a', 'canal-b', 'web-a', 'web-b']);
    expect(await cluster.store.get(DAEMON_SETS, 'canal-node', NAMESPACE)).toBeDefined();
    expect((await cluster.store.get(NODES, 'a'))?.metadata.annotations?.[`${PREFIX}public-ip`]).toBe('192.0.2.1');
    expect((await cluster.store.get(NAMESPACES, NAMESPACE))?.metadata.deletionTimestamp).toBeUndefined();
    expect(renderResult(result, true)).toContain(
      'would delete: DaemonSet canal-system/canal-node, Namespace canal-system',
    );
  });

  test('one node that fails stops none of the others, keeps its annotations, and the objects stay', async () => {
    cluster.behaviour.set('a', 'fails');
    const result = await run();
    expect(outcomes(result)).toEqual(['a failed', 'b done']);
    expect((await cluster.store.get(NODES, 'a'))?.metadata.annotations?.[`${PREFIX}public-ip`]).toBe('192.0.2.1');
    expect((await cluster.store.get(NODES, 'b'))?.metadata.annotations?.[`${PREFIX}public-ip`]).toBeUndefined();
    expect(result.objectsKept).toMatch(/run the same command again/);
    const text = renderResult(result, false);
    expect(text).toMatch(/a +failed[^]*failed network link delete flannel\.1\n {2}left cni-config[^]*still there/);
    expect(text).not.toContain('\u001b');
  });

  test('a program that crashes is told in its own words', async () => {
    cluster.behaviour.set('b', 'crashes');
    const { nodes } = await run();
    expect(nodes[1]).toMatchObject({ outcome: 'failed', problem: 'no. do' });
  });

  test.each([
    ['succeeds-unread', /ended well, but without a report: the log cannot be read: no route to host/],
    ['succeeds-silently', /ended well, but without a report: its log is empty/],
  ] as const)('a pod that %s: the node counts as failed and is not released', async (behaviour, problem) => {
    cluster.behaviour.set('a', behaviour);
    const { nodes, objectsKept } = await run();
    expect(nodes[0]).toMatchObject({ node: 'a', outcome: 'failed', nodeObject: [] });
    expect(nodes[0]?.problem).toMatch(problem);
    expect((await cluster.store.get(NODES, 'a'))?.metadata.annotations?.[`${PREFIX}public-ip`]).toBe('192.0.2.1');
    expect(objectsKept).toMatch(/run the same command again/);
  });

  test('a node whose kubelet is silent gets no Job; it is named with what to run there', async () => {
    await addNode('c', 'Unknown');
    const result = await run();
    expect(outcomes(result)).toEqual(['a done', 'b done', 'c unreachable']);
    expect(cluster.log.filter((line) => line === 'create Job')).toHaveLength(2);
    expect(renderResult(result, false)).toMatch(
      /not reached: c\.[^]*\/opt\/cni\/bin\/canal node-setup uninstall --force/,
    );
    expect(result.objects).toEqual([]);
  });

  test('a pod that never starts is given up after the time limit', async () => {
    cluster.behaviour.set('a', 'never-starts');
    const { nodes } = await run({ timeoutSeconds: 5 });
    expect(nodes[0]).toMatchObject({ node: 'a', outcome: 'unreachable' });
    expect(nodes[0]?.problem).toMatch(/no answer within 5 s: its pod is Pending/);
  });

  test('agents that do not end: no Job is started', async () => {
    cluster.agentsEnd = false;
    await expect(run({ timeoutSeconds: 5 })).rejects.toMatchObject({ name: 'AgentsStay' });
    expect(cluster.log).not.toContain('create Job');
    expect(await cluster.store.get(DAEMON_SETS, 'canal-node', NAMESPACE)).toBeDefined();
  });

  test('after kubectl delete: a namespace is made for the Jobs, and goes again', async () => {
    await cluster.store.delete(DAEMON_SETS, 'canal-node', NAMESPACE);
    await cluster.store.delete(NAMESPACES, NAMESPACE);
    const result = await run();
    expect(outcomes(result)).toEqual(['a done', 'b done']);
    expect(result.objects).toEqual([]);
    const left = await cluster.store.get(NAMESPACES, NAMESPACE);
    expect(left === undefined || left.metadata.deletionTimestamp !== undefined).toBe(true);
  });

  test('only some nodes: DaemonSet and objects stay', async () => {
    const result = await run({ isPartial: true }, ['b']);
    expect(outcomes(result)).toEqual(['b done']);
    expect(result.objectsKept).toBe('only some nodes were asked for');
    expect(cluster.log).not.toContain('patch DaemonSet');
    expect(await cluster.store.get(DAEMON_SETS, 'canal-node', NAMESPACE)).toBeDefined();
  });
});
