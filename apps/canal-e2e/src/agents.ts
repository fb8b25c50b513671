/** The node agents of a cluster, from the outside: pods of the DaemonSet, their processes, and whether all are well. */
import { eventually } from './eventually.ts';
import { listContainers, type NodeContainer } from './node-containers.ts';
import type { NodeControl, World } from './world.ts';

export const AGENT_NAMESPACE = 'canal-system';
export const AGENT_DAEMON_SET = 'canal-node';
const AGENT_CONTAINER = 'flanneld';
const HEALTH_PORT = 9096;

export interface AgentPod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly isReady: boolean;
  readonly restarts: number;
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
    readonly spec: { readonly nodeName?: string };
    readonly status: {
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
      readonly containerStatuses?: readonly { readonly name: string; readonly restartCount: number }[];
    };
  }[];
}

/** Those that are being deleted do not count. */
export async function listAgents(world: World): Promise<readonly AgentPod[]> {
  const { stdout } = await world.kubectl([
    ...['get', 'pods', '-n', AGENT_NAMESPACE, '-l', 'k8s-app=canal', '-o', 'json'],
  ]);
  const { items } = JSON.parse(stdout) as PodList;
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, spec, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      node: spec.nodeName ?? '',
      isReady: status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
      restarts: status.containerStatuses?.find(({ name }) => name === AGENT_CONTAINER)?.restartCount ?? 0,
    }));
}

/** One Ready agent on each node, and every node Ready. */
export async function allReady(world: World, withinMs = 60_000): Promise<void> {
  await eventually(
    'all nodes and agents to be Ready',
    async () => {
      const [nodes, agents] = await Promise.all([readyByNode(world), listAgents(world)]);
      const unready = [...nodes].filter(([, ready]) => !ready).map(([name]) => `node ${name}`);
      const agentless = [...nodes.keys()].filter(
        (node) => agents.filter((agent) => agent.node === node && agent.isReady).length !== 1,
      );
      const missing = [...unready, ...agentless.map((node) => `agent on ${node}`)];
      if (missing.length > 0) throw new Error(`not Ready: ${missing.join(', ')}`);
      return true;
    },
    { withinMs },
  );
}

/** Name of each Node object, and whether its Ready condition is True. */
export async function readyByNode(world: World): Promise<ReadonlyMap<string, boolean>> {
  const ready = `{range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}`;
  const { stdout } = await world.kubectl(['get', 'nodes', '-o', `jsonpath=${ready}`]);
  const lines = stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '');
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', line.endsWith(' True')]));
}

/** The agent's running container on a node, seen without the API server; undefined while there is none. */
export async function agentContainer(
  control: NodeControl,
  node: string,
  name = AGENT_CONTAINER,
): Promise<(NodeContainer & { readonly pid: number }) | undefined> {
  const containers = await listContainers(control, node, { namespace: AGENT_NAMESPACE, kind: 'container' });
  for (const container of containers) {
    const { pid } = container;
    if (container.name === name && pid !== undefined) return { ...container, pid };
  }
  return undefined;
}

/** The image that the agents run, by the name that the DaemonSet gives it. */
export async function agentImage(world: World): Promise<string> {
  const path = 'jsonpath={.spec.template.spec.containers[0].image}';
  return (await world.kubectl(['get', 'ds', '-n', AGENT_NAMESPACE, AGENT_DAEMON_SET, '-o', path])).stdout;
}

/** The agent's own word, asked on its node: the API server may still have an old one. */
export async function inSync(control: NodeControl, node: string, withinMs: number): Promise<void> {
  await eventually(
    `the agent on ${node} to be in sync`,
    async () => {
      await control.exec(node, ['curl', '-fsS', '--max-time', '3', `http://127.0.0.1:${HEALTH_PORT}/readyz`]);
      return true;
    },
    { withinMs },
  );
}
