/** What a cluster is and how it does, as data (`status --output json`) and as text. */
import { listNodes } from './api-client.ts';
import type { Programs } from './build.ts';
import { CONTROL_PLANE, CONTROL_PLANE_COMPONENTS, NODE_COMPONENTS, componentProcess } from './component.ts';
import { netnsPath } from './network.ts';
import { holderOf, nodeIps, nodeRoot } from './node.ts';
import { ETCD_URL, IMAGES, apiServerUrl, clusterCidrs, folders, underlay } from './plan.ts';
import type { IpFamily, ProxyMode } from './plan.ts';
import type { ClusterState } from './state.ts';

/** Numbers of the processes of a member's components; null where one does not run. */
export type ComponentStatus = Readonly<Record<string, number | null>>;

export interface NodeStatus {
  readonly name: string;
  readonly ips: readonly string[];
  /** Process that keeps the node's namespaces; null when the node is halted. */
  readonly pid: number | null;
  /** File that keeps the node's network namespace, for `nsenter --net=`. */
  readonly netns: string;
  /** Folder of the machine with the node's own files: `ROOT/etc/cni/net.d`, `ROOT/opt/cni/bin`, `ROOT/run`, … */
  readonly root: string;
  readonly registered: boolean;
  readonly ready: boolean;
  readonly podCidrs: readonly string[];
  readonly components: ComponentStatus;
}

export interface ClusterStatus {
  readonly name: string;
  readonly phase: 'starting' | 'up';
  readonly kubernetesVersion: string;
  readonly ipFamily: IpFamily;
  readonly kubeProxy: ProxyMode;
  readonly kubeconfig: string;
  readonly server: string;
  readonly podCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  readonly clusterDns: readonly string[];
  readonly logs: string;
  readonly controlPlane: {
    readonly ips: readonly string[];
    readonly netns: string;
    /** In that namespace alone. */
    readonly etcd: string;
    readonly reachable: boolean;
    readonly components: ComponentStatus;
  };
  readonly outside: { readonly ips: readonly string[]; readonly netns: string };
  readonly nodes: readonly NodeStatus[];
  readonly images: typeof IMAGES;
  readonly binaries: Readonly<Record<string, string>>;
}

export async function clusterStatus(state: ClusterState, programs: Programs): Promise<ClusterStatus> {
  const { name, shape } = state;
  const registered = await listNodes(state);
  const cidrs = clusterCidrs(shape.ipFamily);
  const plan = underlay(state.underlay, shape.ipFamily);
  return {
    name,
    phase: state.phase,
    kubernetesVersion: state.kubernetesVersion,
    ipFamily: shape.ipFamily,
    kubeProxy: shape.kubeProxy,
    kubeconfig: folders(name).kubeconfig,
    server: apiServerUrl(state.underlay),
    podCidrs: cidrs.pods,
    serviceCidrs: cidrs.services,
    clusterDns: cidrs.dns,
    logs: folders(name).logs,
    controlPlane: {
      ips: plan.controlPlane,
      netns: netnsPath(name, CONTROL_PLANE),
      etcd: ETCD_URL,
      reachable: registered !== undefined,
      components: components(name, CONTROL_PLANE, CONTROL_PLANE_COMPONENTS),
    },
    outside: { ips: plan.outside, netns: netnsPath(name, 'outside') },
    nodes: state.nodes.map((node) => {
      const known = registered?.find((candidate) => candidate.name === node.name);
      return {
        name: node.name,
        ips: nodeIps(state, node),
        pid: holderOf(name, node.name)?.pid ?? null,
        netns: netnsPath(name, node.name),
        root: nodeRoot(name, node.name),
        registered: known !== undefined,
        ready: known?.ready ?? false,
        podCidrs: known?.podCidrs ?? [],
        components: components(name, node.name, NODE_COMPONENTS),
      };
    }),
    images: IMAGES,
    binaries: programs.path,
  };
}

export function formatStatus(status: ClusterStatus): string {
  const line = (member: string, text: string, parts: ComponentStatus): string =>
    `  ${member.padEnd(16)} ${text.padEnd(status.ipFamily === 'dual' ? 64 : 44)} ${Object.entries(parts)
      .map(([component, pid]) => (pid === null ? `${component} STOPPED` : component))
      .join(', ')}`;
  const { controlPlane } = status;
  return [
    ...(status.phase === 'up'
      ? []
      : [
          `cluster ${status.name} is not up: it is coming up, or was cut off ` +
            `("npm run cluster -- up --name ${status.name}" begins anew, down takes it away)`,
        ]),
    `cluster ${status.name}: Kubernetes ${status.kubernetesVersion}, ${status.ipFamily}, kube-proxy ${status.kubeProxy}`,
    `  kubeconfig ${status.kubeconfig}`,
    `  logs       ${status.logs}`,
    line(
      CONTROL_PLANE,
      `${controlPlane.ips[0] ?? ''} ${controlPlane.reachable ? 'reachable' : 'UNREACHABLE'}`,
      controlPlane.components,
    ),
    ...status.nodes.map((node) => {
      const state =
        node.pid === null ? 'HALTED' : !node.registered ? 'unregistered' : node.ready ? 'Ready' : 'NotReady';
      return line(node.name, `${node.ips[0] ?? ''} ${state} pods ${node.podCidrs.join(',') || '-'}`, node.components);
    }),
    '',
  ].join('\n');
}

function components(cluster: string, member: string, names: readonly string[]): ComponentStatus {
  return Object.fromEntries(
    names.map((component) => [component, componentProcess({ cluster, member, component })?.pid ?? null]),
  );
}
