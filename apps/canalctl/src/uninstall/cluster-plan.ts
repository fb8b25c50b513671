/** What there is to be uninstalled: the DaemonSet, its settings, the nodes and how many pods would lose their network. */
import { CONFIG_MAPS, type KubeObject, NODES, PODS, type Store } from '@canal/store-port';
import { isJsonObject, textAt } from '../objects/json-object.ts';
import { UsageError } from '../report-error.ts';
import { DAEMON_SETS } from './resources.ts';

export interface ClusterPlan {
  readonly daemonSetExists: boolean;
  readonly image: string;
  readonly imagePullPolicy?: string | undefined;
  readonly imagePullSecrets?: unknown;
  readonly binDir?: string | undefined;
  readonly confDir?: string | undefined;
  readonly annotationPrefix: string;
  readonly nodes: readonly PlannedNode[];
}

export interface PlannedNode {
  readonly name: string;
  /** Why no pod can be started there; absent when one can. */
  readonly unreachable?: string;
  /** Pods that are not in the host's network: they lose theirs. */
  readonly pods: number;
  readonly hasAgent: boolean;
}

export interface PlanOptions {
  readonly namespace: string;
  /** Empty: all. */
  readonly nodes: readonly string[];
  readonly image?: string | undefined;
  readonly defaultImage: string;
}

export const DAEMON_SET = 'canal-node';
/** `k8s-app` of its pods. */
export const AGENT_APP = 'canal';
const CONFIG_MAP = 'canal-config';
const SHOWN_NODES = 20;
const DEFAULT_PREFIX = 'flannel.alpha.coreos.com';

/** Throws UsageError for a node that is not there. */
export async function planCluster(store: Store, options: PlanOptions): Promise<ClusterPlan> {
  const { namespace } = options;
  const [daemonSet, settings, nodes, pods] = await Promise.all([
    store.get(DAEMON_SETS, DAEMON_SET, namespace),
    store.get(CONFIG_MAPS, CONFIG_MAP, namespace),
    store.list(NODES),
    store.list(PODS),
  ]);
  const podSpec = at(daemonSet, 'spec', 'template', 'spec');
  const [container] = listAt(podSpec, 'containers');
  const podsByNode = Map.groupBy(pods.filter(isAlive), (pod) => textAt(pod, 'spec', 'nodeName') ?? '');
  return {
    daemonSetExists: daemonSet !== undefined,
    image: options.image ?? textAt(container, 'image') ?? options.defaultImage,
    imagePullPolicy: textAt(container, 'imagePullPolicy'),
    imagePullSecrets: at(podSpec, 'imagePullSecrets'),
    binDir: textAt(settings, 'data', 'cni-bin-dir'),
    confDir: textAt(settings, 'data', 'cni-conf-dir'),
    annotationPrefix: prefixOf(listAt(container, 'args')),
    nodes: chooseNodes(nodes, options.nodes).map((node) =>
      planNode(node, podsByNode.get(node.metadata.name) ?? [], namespace),
    ),
  };
}

function chooseNodes(nodes: readonly KubeObject[], wanted: readonly string[]): readonly KubeObject[] {
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  const unknown = wanted.filter((name) => !names.has(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `--node: there is no node ${unknown.join(', ')}`,
      `there are: ${[...names].sort().slice(0, SHOWN_NODES).join(', ')}${names.size > SHOWN_NODES ? ', …' : ''}`,
    );
  }
  const linux = nodes.filter(({ metadata }) => (metadata.labels?.['kubernetes.io/os'] ?? 'linux') === 'linux');
  const chosen = wanted.length === 0 ? linux : nodes.filter(({ metadata }) => wanted.includes(metadata.name));
  return chosen.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** `pods`: those that are on it and have not ended. */
function planNode(node: KubeObject, pods: readonly KubeObject[], namespace: string): PlannedNode {
  const { name } = node.metadata;
  const unreachable = whyUnreachable(node);
  return {
    name,
    pods: pods.filter((pod) => at(pod, 'spec', 'hostNetwork') !== true).length,
    hasAgent: pods.some((pod) => isAgent(pod, namespace)),
    ...(unreachable !== undefined && { unreachable }),
  };
}

function isAlive(pod: KubeObject): boolean {
  const phase = textAt(pod, 'status', 'phase');
  return phase !== 'Succeeded' && phase !== 'Failed';
}

/** A pod of the DaemonSet. */
function isAgent({ metadata }: KubeObject, namespace: string): boolean {
  return metadata.namespace === namespace && metadata.labels?.['k8s-app'] === AGENT_APP;
}

/** Only a kubelet that says nothing. One that says "not ready" still starts pods of the host's network. */
function whyUnreachable(node: KubeObject): string | undefined {
  const ready = listAt(at(node, 'status'), 'conditions').find((condition) => textAt(condition, 'type') === 'Ready');
  if (ready === undefined) return 'its kubelet has never reported';
  if (textAt(ready, 'status') !== 'Unknown') return undefined;
  return `its kubelet has not reported since ${textAt(ready, 'lastHeartbeatTime') ?? 'long ago'}`;
}

function prefixOf(args: readonly unknown[]): string {
  for (const arg of args) {
    const found = typeof arg === 'string' ? /^--?kube-annotation-prefix=(.+)$/.exec(arg)?.[1] : undefined;
    if (found !== undefined) return found;
  }
  return DEFAULT_PREFIX;
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => (isJsonObject(inner) ? inner[name] : undefined), value);
}

function listAt(value: unknown, name: string): readonly unknown[] {
  const found = at(value, name);
  return Array.isArray(found) ? (found as unknown[]) : [];
}
