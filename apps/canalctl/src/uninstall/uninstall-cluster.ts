/**
 * canal off a whole cluster: agents first, then each node, then the objects. What one node refuses stops none of the
 * others; the objects stay until every node is clean, so that the same command can be run again.
 */
import { type KubeObject, NAMESPACES, PODS, type ResourceType, type Store } from '@canal/store-port';
import { AgentsStay } from './agents-stay.ts';
import { type ClusterPlan, DAEMON_SET, isAgent } from './cluster-plan.ts';
import { commandByHand, type NodeJob } from './node-job.ts';
import { releaseNode } from './node-object.ts';
import { ifThere, type NodeResult, type NodeRunDeps, removeFormerJobs, runOnNodes } from './node-runs.ts';
import { DAEMON_SETS, SCATTERED } from './resources.ts';

export interface UninstallClusterOptions {
  readonly namespace: string;
  readonly dryRun: boolean;
  readonly keepObjects: boolean;
  /** Only these nodes are asked for: the objects stay. */
  readonly isPartial: boolean;
  readonly timeoutSeconds: number;
}

export interface ClusterResult {
  readonly nodes: readonly ReleasedNode[];
  /** `ClusterRole canal-node`; in a dry run those that would be deleted. */
  readonly objects: readonly string[];
  /** Why objects stay. */
  readonly objectsKept?: string;
  readonly byHand: string;
}

export interface ReleasedNode extends NodeResult {
  /** What changed in its Node object. */
  readonly nodeObject: readonly string[];
}

export interface UninstallClusterDeps extends NodeRunDeps {
  readonly now: () => Date;
}

/** Throws AgentsStay when pods of the DaemonSet do not end, StoreError when the API server refuses. */
export async function uninstallCluster(
  deps: UninstallClusterDeps,
  plan: ClusterPlan,
  options: UninstallClusterOptions,
): Promise<ClusterResult> {
  const { store, onProgress } = deps;
  const { namespace, dryRun } = options;
  const reachable = plan.nodes.filter(({ unreachable }) => unreachable === undefined);
  const isOwnNamespace = await ensureNamespace(deps, options);
  try {
    if (!dryRun && !options.isPartial) await endAgents(deps, plan, options);
    await removeFormerJobs(store, namespace);
    onProgress(`${dryRun ? 'looking at' : 'cleaning'} ${reachable.length} nodes`);
    const jobs = reachable.map(({ name }): NodeJob => ({ ...plan, ...options, node: name }));
    const results = await runOnNodes(deps, jobs);
    const nodes = await releaseAll(deps, plan, options, [...results, ...unreachableResults(plan)]);
    const isClean = nodes.every(({ outcome }) => outcome === 'done');
    return { nodes, byHand: commandByHand(plan), ...(await removeObjects(store, options, isClean, isOwnNamespace)) };
  } finally {
    if (isOwnNamespace) await ifThere(store.delete(NAMESPACES, namespace)).catch(() => undefined);
  }
}

/** True when it was made for the Jobs. One that is on its way out takes no Job: it is waited for. */
async function ensureNamespace(
  { store, clock, signal, onProgress }: UninstallClusterDeps,
  { namespace, timeoutSeconds }: UninstallClusterOptions,
): Promise<boolean> {
  const deadlineMs = clock.nowMs() + timeoutSeconds * 1000;
  for (;;) {
    const present = await store.get(NAMESPACES, namespace);
    if (present === undefined) {
      await store.create(NAMESPACES, privilegedNamespace(namespace));
      return true;
    }
    if (present.metadata.deletionTimestamp === undefined) return false;
    if (clock.nowMs() >= deadlineMs) throw new AgentsStay(`namespace ${namespace} is still being deleted`);
    onProgress(`waiting for namespace ${namespace} to be gone`);
    await clock.sleep(500, signal);
  }
}

function unreachableResults({ nodes }: ClusterPlan): readonly NodeResult[] {
  return nodes.flatMap(({ name, unreachable }) =>
    unreachable === undefined ? [] : [{ node: name, outcome: 'unreachable', problem: unreachable }],
  );
}

/** Where pods may have the host's network and directories: the manifest's own says the same. */
function privilegedNamespace(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
  };
}

/** An agent that still runs would make anew what is taken away. Those of nodes that are gone never end, and harm nobody. */
async function endAgents(
  { store, clock, signal, onProgress }: UninstallClusterDeps,
  plan: ClusterPlan,
  { namespace, timeoutSeconds }: UninstallClusterOptions,
): Promise<void> {
  onProgress(`deleting DaemonSet ${DAEMON_SET}`);
  await ifThere(store.delete(DAEMON_SETS, DAEMON_SET, namespace));
  const reachable = new Set(plan.nodes.filter(({ unreachable }) => unreachable === undefined).map(({ name }) => name));
  const deadlineMs = clock.nowMs() + timeoutSeconds * 1000;
  for (;;) {
    const pods = await store.list(PODS, { namespace, labelSelector: 'k8s-app=canal' });
    const left = pods.filter((pod) => isAgent(pod, namespace) && reachable.has(nodeOf(pod)));
    if (left.length === 0) return;
    if (clock.nowMs() >= deadlineMs) {
      const names = left.map((pod) => `${pod.metadata.name} (${nodeOf(pod)})`).join(', ');
      throw new AgentsStay(`these agents have not ended within ${timeoutSeconds} s: ${names}`);
    }
    onProgress(`waiting for ${left.length} agents to end`);
    await clock.sleep(500, signal);
  }
}

function nodeOf(pod: KubeObject): string {
  const spec = pod['spec'] as { nodeName?: string } | undefined;
  return spec?.nodeName ?? '';
}

/** Only nodes that are clean: the others still answer for their pods' subnet. */
async function releaseAll(
  { store, now }: UninstallClusterDeps,
  plan: ClusterPlan,
  { dryRun }: UninstallClusterOptions,
  results: readonly NodeResult[],
): Promise<readonly ReleasedNode[]> {
  const released: ReleasedNode[] = [];
  for (const result of results) {
    const isDone = result.outcome === 'done' && !dryRun;
    const nodeObject = isDone ? await releaseNode(store, result.node, plan.annotationPrefix, now) : [];
    released.push({ ...result, nodeObject });
  }
  return released.sort((a, b) => (a.node < b.node ? -1 : 1));
}

async function removeObjects(
  store: Store,
  options: UninstallClusterOptions,
  isClean: boolean,
  isOwnNamespace: boolean,
): Promise<Pick<ClusterResult, 'objects' | 'objectsKept'>> {
  const kept = whyKept(options, isClean);
  if (kept !== undefined) return { objects: [], objectsKept: kept };
  const objects: string[] = [];
  for (const { type, name, namespace } of await findObjects(store, options.namespace, isOwnNamespace)) {
    if (!options.dryRun && !(await ifThere(store.delete(type, name, namespace)))) continue;
    objects.push(`${type.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`);
  }
  return { objects };
}

function whyKept({ dryRun, keepObjects, isPartial }: UninstallClusterOptions, isClean: boolean): string | undefined {
  if (isPartial) return 'only some nodes were asked for';
  if (keepObjects) return '--keep-objects';
  return isClean || dryRun ? undefined : 'some nodes are not clean yet: run the same command again';
}

interface NamedObject {
  readonly type: ResourceType;
  readonly name: string;
  readonly namespace?: string;
}

/** The manifest's own namespace goes as a whole; a namespace that others use is never deleted. */
const OWN_NAMESPACE = 'canal-system';
const OWN_OBJECTS = 'k8s-app=canal';
const OWN_NAME = /^canal-/;

async function findObjects(store: Store, namespace: string, isOwnNamespace: boolean): Promise<readonly NamedObject[]> {
  const found: NamedObject[] = [];
  for (const type of SCATTERED) {
    const objects = await store.list(type, { labelSelector: OWN_OBJECTS });
    for (const { metadata } of objects) {
      if (!OWN_NAME.test(metadata.name) || metadata.namespace === OWN_NAMESPACE) continue;
      found.push({
        type,
        name: metadata.name,
        ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      });
    }
  }
  const own = namespace === OWN_NAMESPACE && !isOwnNamespace ? await store.get(NAMESPACES, namespace) : undefined;
  if (own !== undefined) return [...found, { type: NAMESPACES, name: namespace }];
  return found;
}
