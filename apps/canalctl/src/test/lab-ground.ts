/** The ground of a self-test in a lab: pods of its own on each node; this process is in their place, and in the nodes'. */
import { randomBytes } from 'node:crypto';
import { type Lab, LabError, namespacePath, type PodRecord } from '@canal/lab';
import { NAMESPACES, NETWORK_POLICIES } from '@canal/store-port';
import { formatIp } from 'net-types';
import { untilAborted } from '../until-aborted.ts';
import { dial } from './dial.ts';
import { type EchoServer, serveEcho } from './echo-server.ts';
import { POD_LABEL, ROLE_LABEL, type TestGround, type TestPod } from './test-ground.ts';
import type { TestResult } from './test-result.ts';

export interface LabGroundOptions {
  /** Empty: the first, as many as `count`. */
  readonly nodes: readonly string[];
  readonly count: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
  readonly onWarning: (text: string) => void;
  /** The same lab, for taking away what was made also after the signal has aborted. */
  readonly labForEnd: () => Lab;
}

const NO_KUBE_PROXY = { absent: 'a lab has no kube-proxy' };
/** Nobody listens there: a node that refuses is reached. */
const KUBELET_PORT = 10_250;

export async function withLabGround<T>(
  lab: Lab,
  options: LabGroundOptions,
  work: (ground: TestGround) => Promise<T>,
): Promise<T> {
  const { signal, onProgress, onWarning } = options;
  const nodes = chooseNodes(lab, options);
  const namespace = `canal-test-${randomBytes(4).toString('hex')}`;
  await lab.store.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const servers: EchoServer[] = [];
  const policies: string[] = [];
  const startMs = performance.now();
  const making = lab.addPods(
    nodes.flatMap((node, index) =>
      (['client', 'server'] as const).map((role) => {
        const name = `${role}-${index + 1}`;
        return { name, namespace, node, labels: { [ROLE_LABEL]: role, [POD_LABEL]: name } };
      }),
    ),
  );
  try {
    onProgress(`starting pods on ${nodes.join(', ')}`);
    const pods = await untilAborted(signal, making);
    for (const pod of pods.filter(({ name }) => name.startsWith('server-'))) {
      servers.push(await serveEcho(pod.name, pod.ips.map(formatIp), { netns: namespacePath(pod.netns) }));
    }
    return await work(groundOf(lab, namespace, nodes, pods, policies, performance.now() - startMs));
  } finally {
    for (const server of servers) server.close();
    await making.catch(() => undefined);
    onProgress('taking the pods away');
    await takeAway(options.labForEnd(), namespace, policies).catch((error: unknown) => {
      onWarning(`namespace ${namespace} stays: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
}

function chooseNodes(lab: Lab, { nodes: wanted, count }: LabGroundOptions): readonly string[] {
  const all = lab.nodes().map(({ name }) => name);
  const unknown = wanted.filter((name) => !all.includes(name));
  if (unknown.length === 0)
    return wanted.length > 0 ? all.filter((name) => wanted.includes(name)) : all.slice(0, count);
  throw new LabError('not-found', `there is no node ${unknown.join(', ')}`, { hint: `there are: ${all.join(', ')}` });
}

function groundOf(
  lab: Lab,
  namespace: string,
  nodes: readonly string[],
  pods: readonly PodRecord[],
  policies: string[],
  tookMs: number,
): TestGround {
  const podsOf = (role: string): readonly TestPod[] =>
    pods
      .filter(({ name }) => name.startsWith(`${role}-`))
      .map(({ name, node, ips }) => ({ name, node, ips: ips.map(formatIp) }));
  const found = `within ${(tookMs / 1000).toFixed(1)} s`;
  return {
    namespace,
    clients: podsOf('client'),
    servers: podsOf('server'),
    nodes: nodes.map((name) => {
      const addresses = lab.nodes().find((node) => node.name === name)?.addresses ?? [];
      return { name, ips: addresses.map(({ ip }) => formatIp(ip)), port: KUBELET_PORT };
    }),
    nodesDial: true,
    service: NO_KUBE_PROXY,
    apiServer: NO_KUBE_PROXY,
    dns: { absent: 'a lab has no DNS' },
    results: nodes.map((node): TestResult => ({
      id: `start/${node}`,
      group: 'start',
      what: `pods start, on ${node}`,
      verdict: 'ok',
      found,
      tookMs,
    })),
    dial: async (from, requests) => {
      const netns = lab.namespaceOf('node' in from ? from : { pod: { namespace, name: from.pod } });
      return await Promise.all(requests.map((one) => dial(one, { netns: namespacePath(netns) })));
    },
    applyPolicy: async (policy) => {
      await lab.store.create(NETWORK_POLICIES, policy);
      policies.push(policy.metadata.name);
    },
  };
}

async function takeAway(lab: Lab, namespace: string, policies: readonly string[]): Promise<void> {
  for (const name of policies) await lab.store.delete(NETWORK_POLICIES, name, namespace);
  for (const pod of lab.pods()) if (pod.namespace === namespace) await lab.removePod(pod);
  await lab.store.delete(NAMESPACES, namespace);
}
