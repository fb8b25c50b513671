/** Objects that other parts of a cluster would write: kube-controller-manager, kubelet, a user. */
import { formatCidr, formatIp, type Ip } from 'net-types';
import { type KubeObject } from '@canal/store-port';
import { type NodePlan } from './topology.ts';

/** A Node as kubelet registers it, with the pod subnets that kube-controller-manager assigns. */
export function nodeObject(node: NodePlan): KubeObject {
  const podCidrs = node.podCidrs.map(formatCidr);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node.name,
      labels: {
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/os': 'linux',
        'topology.kubernetes.io/zone': `segment-${node.segment}`,
      },
    },
    spec: { podCIDR: podCidrs[0], podCIDRs: podCidrs },
  };
}

/** The half of a Node that kubelet writes as its status. */
export function nodeStatus(node: NodePlan): unknown {
  return {
    status: {
      addresses: [
        ...node.addresses.map(({ ip }) => ({ type: 'InternalIP', address: formatIp(ip) })),
        { type: 'Hostname', address: node.name },
      ],
    },
  };
}

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
}

/** A Pod bound to a node, as the scheduler leaves it. */
export function podObject(pod: PodIdentity, node: string, labels: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: pod.namespace, name: pod.name, labels },
    spec: { nodeName: node, containers: [{ name: 'main', image: 'lab/none' }] },
  };
}

/** The status that kubelet writes once the sandbox has its addresses. */
export function podRunningStatus(podIps: readonly Ip[], hostIps: readonly Ip[]): unknown {
  const texts = (ips: readonly Ip[]): readonly string[] => ips.map(formatIp);
  const [podIP] = texts(podIps);
  const [hostIP] = texts(hostIps);
  return {
    status: {
      phase: 'Running',
      podIP,
      podIPs: texts(podIps).map((ip) => ({ ip })),
      hostIP,
      hostIPs: texts(hostIps).map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

/** kubelet's condition beside those of others. A merge patch writes the whole list, so it holds for this version alone. */
export function nodeReadyPatch(live: KubeObject, problem: string | undefined, now: Date): unknown {
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const ready = {
    type: 'Ready',
    status: problem === undefined ? 'True' : 'False',
    reason: problem === undefined ? 'KubeletReady' : 'NetworkPluginNotReady',
    message: problem ?? 'the lab can run pods here',
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  };
  const others = conditionsOf(live).filter((one) => one['type'] !== 'Ready');
  return { metadata: { resourceVersion: live.metadata.resourceVersion }, status: { conditions: [...others, ready] } };
}

/** Whether the node agent has said that pods can be put on the node. */
export function networkIsAvailable(node: KubeObject): boolean {
  return conditionsOf(node).some((one) => one['type'] === 'NetworkUnavailable' && one['status'] === 'False');
}

function conditionsOf(node: KubeObject): readonly Readonly<Record<string, unknown>>[] {
  const status: unknown = node['status'];
  const conditions = isRecord(status) ? status['conditions'] : undefined;
  return Array.isArray(conditions) ? conditions.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
