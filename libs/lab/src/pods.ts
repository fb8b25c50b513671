/** Pods of the lab: what scheduler, kubelet and container runtime do between them, with the real CNI plugin. */
import { randomBytes } from 'node:crypto';
import { IFF, setLink } from 'netlink-ts';
import { type Ip } from 'net-types';
import { PODS, StoreError } from '@canal/store-port';
import { type Sandbox } from './cni-runtime.ts';
import { podObject, podRunningStatus } from './kube-objects.ts';
import { findNode, type LabContext, runtimeOf } from './lab-context.ts';
import { LabError } from './lab-error.ts';
import { nodePaths } from './lab-paths.ts';
import { isLabel } from './lab-spec.ts';
import {
  ensureNamespace,
  findOccupants,
  namespaceExists,
  namespacePath,
  removeNamespace,
  rtnetlinkIn,
} from './namespaces.ts';
import { findProcesses, killProcesses } from './processes.ts';
import { podKey, type PodRecord, readPodRecords, removePodRecord, writePodRecord } from './sandboxes.ts';
import { type NodePlan, podNetworkNamespace } from './topology.ts';

export interface PodWish {
  readonly name: string;
  /** `default` when absent. */
  readonly namespace?: string;
  /** The node with the fewest pods when absent. */
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export function listPods(context: LabContext): readonly PodRecord[] {
  return context.state.nodes.flatMap((node) =>
    readPodRecords(nodePaths(context.paths, node.name).sandboxes, node.name),
  );
}

/** Throws LabError `not-found` with the names there are. */
export function findPod(context: LabContext, pod: { namespace: string; name: string }): PodRecord {
  const pods = listPods(context);
  const found = pods.find((one) => one.namespace === pod.namespace && one.name === pod.name);
  if (found !== undefined) return found;
  const names = pods.map(podKey).join(', ');
  throw new LabError('not-found', `there is no pod ${JSON.stringify(podKey(pod))}`, {
    hint: names === '' ? 'make one with "canalctl lab pod add"' : `there are: ${names}`,
  });
}

/** Runs a pod: its object, its namespace, CNI ADD, its addresses in the status. A failure leaves nothing of it. */
export async function addPod(context: LabContext, wish: PodWish): Promise<PodRecord> {
  const pod = { namespace: wish.namespace ?? 'default', name: wish.name };
  if (!isLabel(pod.name)) throw invalidName('pod', pod.name);
  if (!isLabel(pod.namespace)) throw invalidName('namespace', pod.namespace);
  const node = wish.node === undefined ? emptiestNode(context) : findNode(context, wish.node);
  const uid = await createObject(context, pod, node, wish.labels ?? { app: pod.name });
  const record: PodRecord = {
    ...pod,
    node: node.name,
    uid,
    containerId: randomBytes(32).toString('hex'),
    netns: podNetworkNamespace(context.state.spec.name, node.name, pod),
    ips: [],
  };
  try {
    const ips = await startSandbox(context, node, record);
    const hostIps = node.addresses.map(({ ip }) => ip);
    await context.store.mergePatch(PODS, pod.name, podRunningStatus(ips, hostIps), {
      namespace: pod.namespace,
      subresource: 'status',
    });
    return { ...record, ips };
  } catch (error) {
    await forgetPod(context, record).catch(() => undefined);
    throw error;
  }
}

async function startSandbox(context: LabContext, node: NodePlan, record: PodRecord): Promise<readonly Ip[]> {
  const { sandboxes } = nodePaths(context.paths, node.name);
  writePodRecord(sandboxes, record);
  ensureNamespace(record.netns);
  bringLoopbackUp(record.netns);
  const result = await runtimeOf(context, node).add(sandboxOf(record), context.options.signal);
  const ips = result.ips.map(({ address }) => address.ip);
  writePodRecord(sandboxes, { ...record, ips });
  return ips;
}

/** containerd's internal loopback plugin. */
function bringLoopbackUp(netns: string): void {
  using rtnetlink = rtnetlinkIn(netns);
  rtnetlink.execute(setLink({ name: 'lo', flags: IFF.UP, change: IFF.UP }));
}

/** Stops a pod: CNI DEL, then everything of it goes. Safe to repeat. */
export async function removePod(context: LabContext, record: PodRecord): Promise<void> {
  const node = findNode(context, record.node);
  await endProcesses(context, record);
  await runtimeOf(context, node).del(sandboxOf(record), context.options.signal);
  await forgetPod(context, record);
}

/** Without CNI: for a pod that failed to start, and for the pods of a node that is gone. */
export async function forgetPod(context: LabContext, record: PodRecord): Promise<void> {
  removeNamespace(record.netns);
  removePodRecord(nodePaths(context.paths, record.node).sandboxes, record);
  await context.store.delete(PODS, record.name, record.namespace).catch((error: unknown) => {
    if (!(error instanceof StoreError && error.code === 'not-found')) throw error;
  });
}

/** What `lab pod exec` left running; a process that a user started there by other means stays. */
async function endProcesses(context: LabContext, record: PodRecord): Promise<void> {
  const inside = new Set(findOccupants([record.netns]).map(({ pid }) => pid));
  await killProcesses(findProcesses(context.state.id).filter(({ pid }) => inside.has(pid)));
}

export function sandboxOf(record: PodRecord): Sandbox {
  const { containerId, namespace, name, uid } = record;
  const netns = namespaceExists(record.netns) ? namespacePath(record.netns) : undefined;
  return { containerId, netns, pod: { namespace, name, uid } };
}

async function createObject(
  context: LabContext,
  pod: { namespace: string; name: string },
  node: NodePlan,
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  try {
    const created = await context.store.create(PODS, podObject(pod, node.name, labels));
    return created.metadata.uid ?? '';
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === 'already-exists') {
      const { namespace, name } = pod;
      const runs = listPods(context).some((one) => one.namespace === namespace && one.name === name);
      throw new LabError('exists', `there is a pod ${JSON.stringify(podKey(pod))} already`, {
        // Applied by hand, or made by an "add" that was killed.
        ...(!runs && { hint: `its object alone: "canalctl lab delete pod ${name} -n ${namespace}" removes it` }),
        cause: error,
      });
    }
    if (error.code === 'not-found') {
      throw new LabError('not-found', `there is no namespace ${JSON.stringify(pod.namespace)}`, {
        hint: 'make it with "canalctl lab apply -f"',
        cause: error,
      });
    }
    throw error;
  }
}

function emptiestNode(context: LabContext): NodePlan {
  const counts = new Map(context.state.nodes.map((node) => [node.name, 0]));
  for (const { node } of listPods(context)) counts.set(node, (counts.get(node) ?? 0) + 1);
  const [best] = [...context.state.nodes].sort((a, b) => (counts.get(a.name) ?? 0) - (counts.get(b.name) ?? 0));
  if (best === undefined)
    throw new LabError('not-found', 'the lab has no node', { hint: 'add one with "lab node add"' });
  return best;
}

function invalidName(kind: string, name: string): LabError {
  return new LabError('invalid', `${JSON.stringify(name)} is no ${kind} name`, {
    hint: 'lower-case letters, digits and dashes, at most 63 characters',
  });
}
