/**
 * canal off a whole cluster: agents first, then each node, then the objects. What one node refuses stops none of the
 * others; the objects stay until every node is clean, so that the same command can be run again.
 */
import { type KubeObject, NAMESPACES, PODS, type ResourceType, type Store } from '@canal/store-port';
import { AgentsStay } from './agents-stay.ts';
import { AGENT_APP, type ClusterPlan, DAEMON_SET } from './cluster-plan.ts';
import { commandByHand, type NodeJob } from './node-job.ts';
import { releaseNode } from './node-object.ts';
import { ifThere, type NodeResult, type NodeRunDeps, removeFormerJobs, runOnNodes } from './node-runs.ts';
import { DAEMON_SETS, DEPLOYMENTS, SCATTERED } from './resources.ts';

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
    if (!dryRun && !options.isPartial) {
      await endAdminApi(deps, plan, options);
      await endAgents(deps, plan, options);
    }
    await removeFormerJobs(store, namespace);
    onProgress(`${dryRun ? 'looking at' : 'cleaning'} ${reachable.length} nodes`);
    const jobs = reachable.map(({ name }): NodeJob => ({ ...plan, ...options, node: name }));
    const results = await runOnNodes(deps, jobs);
    const nodes = await releaseAll(deps, plan, options, [...results, ...unreachableResults(plan)]);
    const isClean = nodes.every(({ outcome }) => outcome === 'done');
    const removed = await removeObjects(store, plan, options, { isClean, isOwnNamespace });
    return { nodes, byHand: commandByHand(plan), ...removed };
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

/**
 * The DaemonSet wants no node, and stays: a second run reads image, pull secrets and annotation prefix from it. The label is
 * one that the manifest sets, so that whoever applies that again after all gets agents.
 */
const WANTS_NO_NODE = {
  spec: { template: { spec: { nodeSelector: { 'kubernetes.io/os': 'canal-is-uninstalled' } } } },
};

const ADMIN_API = 'canal-admin-api';

/** A pod of the network that goes: without the plugin it could not end, nor could its namespace. */
async function endAdminApi(
  deps: UninstallClusterDeps,
  plan: ClusterPlan,
  options: UninstallClusterOptions,
): Promise<void> {
  const { namespace } = options;
  const none = { spec: { replicas: 0 } };
  if (!(await ifThere(deps.store.mergePatch(DEPLOYMENTS, ADMIN_API, none, { namespace })))) return;
  await waitForEnd(deps, plan, options, { app: ADMIN_API, what: 'pods of the admin API' });
}

/** An agent that still runs would make anew what is taken away. */
async function endAgents(
  deps: UninstallClusterDeps,
  plan: ClusterPlan,
  options: UninstallClusterOptions,
): Promise<void> {
  const { namespace } = options;
  deps.onProgress(`ending the agents of DaemonSet ${DAEMON_SET}`);
  await ifThere(deps.store.mergePatch(DAEMON_SETS, DAEMON_SET, WANTS_NO_NODE, { namespace }));
  await waitForEnd(deps, plan, options, { app: AGENT_APP, what: 'agents' });
}

/** Pods of nodes that are gone never end, and harm nobody. */
async function waitForEnd(
  { store, clock, signal, onProgress }: UninstallClusterDeps,
  plan: ClusterPlan,
  { namespace, timeoutSeconds }: UninstallClusterOptions,
  { app, what }: { readonly app: string; readonly what: string },
): Promise<void> {
  const reachable = new Set(plan.nodes.filter(({ unreachable }) => unreachable === undefined).map(({ name }) => name));
  const deadlineMs = clock.nowMs() + timeoutSeconds * 1000;
  for (;;) {
    const pods = await store.list(PODS, { namespace, labelSelector: `k8s-app=${app}` });
    const left = pods.filter((pod) => reachable.has(nodeOf(pod)));
    if (left.length === 0) return;
    if (clock.nowMs() >= deadlineMs) {
      const names = left.map((pod) => `${pod.metadata.name} (${nodeOf(pod)})`).join(', ');
      throw new AgentsStay(`these ${what} have not ended within ${timeoutSeconds} s: ${names}`);
    }
    onProgress(`waiting for ${left.length} ${what} to end`);
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

/** DaemonSet and Deployment go with the last node, whatever else stays: what they run would come back. */
async function removeObjects(
  store: Store,
  { daemonSetExists }: ClusterPlan,
  options: UninstallClusterOptions,
  { isClean, isOwnNamespace }: { readonly isClean: boolean; readonly isOwnNamespace: boolean },
): Promise<Pick<ClusterResult, 'objects' | 'objectsKept'>> {
  const { dryRun, isPartial, keepObjects, namespace } = options;
  if (isPartial) return { objects: [], objectsKept: 'only some nodes were asked for' };
  if (!isClean && !dryRun) return { objects: [], objectsKept: NOT_CLEAN };
  const programs: NamedObject[] = daemonSetExists ? [{ type: DAEMON_SETS, name: DAEMON_SET, namespace }] : [];
  if ((await store.get(DEPLOYMENTS, ADMIN_API, namespace)) !== undefined)
    programs.push({ type: DEPLOYMENTS, name: ADMIN_API, namespace });
  const others = keepObjects ? [] : await findObjects(store, namespace, isOwnNamespace);
  const objects: string[] = [];
  for (const { type, name, namespace: within } of [...programs, ...others]) {
    if (!dryRun && !(await ifThere(store.delete(type, name, within)))) continue;
    objects.push(`${type.kind} ${within === undefined ? '' : `${within}/`}${name}`);
  }
  return { objects, ...(keepObjects && { objectsKept: '--keep-objects' }) };
}

const NOT_CLEAN =
  'some nodes are not clean yet: run the same command again. Until then DaemonSet canal-node starts no agents';

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
