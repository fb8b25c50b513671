/** How a lab is, read from the kernel and the API server rather than remembered. */
import { type Cidr, cidrContains, type Ip, type InterfaceAddress } from 'net-types';
import { getNexthop, getLink, listRoutes, type NetlinkConnection, type Route, routeDestination, RTN } from 'netlink-ts';
import { NODES, type Store } from '@canal/store-port';
import { agentRole, policyAgentRole } from './agent.ts';
import { ADMIN_API_ROLE, readAdminApiAddress } from './admin-api-process.ts';
import { API_ROLE } from './api-process.ts';
import { networkIsAvailable } from './kube-objects.ts';
import { type LabContext } from './lab-context.ts';
import { type LabSpec } from './lab-spec.ts';
import { namespaceExists, rtnetlinkIn } from './namespaces.ts';
import { listPods } from './pods.ts';
import { findProcesses, type LabProcess } from './processes.ts';
import { type PodRecord } from './sandboxes.ts';
import { type NodePlan } from './topology.ts';

export interface LabStatus {
  readonly spec: LabSpec;
  readonly healthy: boolean;
  readonly apiServer: ProcessStatus;
  /** Why the API server could not be asked; the rest is then what the kernel and the files say. */
  readonly apiError: string | undefined;
  /** URL at which it serves; undefined when it does not. */
  readonly adminApi: ProcessStatus & { readonly address: string | undefined };
  readonly nodes: readonly NodeStatus[];
}

export interface ProcessStatus {
  readonly running: boolean;
  readonly pid: number | undefined;
  readonly residentBytes: number | undefined;
}

export interface NodeStatus {
  readonly name: string;
  readonly namespace: string;
  readonly segment: number;
  readonly addresses: readonly InterfaceAddress[];
  readonly podCidrs: readonly Cidr[];
  readonly agent: ProcessStatus;
  /** Undefined where policy is off. */
  readonly policyAgent: ProcessStatus | undefined;
  /** What its agent has told the API server. */
  readonly networkAvailable: boolean;
  readonly peers: readonly PeerRoute[];
  readonly pods: readonly PodRecord[];
}

/** How a node's kernel reaches another node's pods. */
export interface PeerRoute {
  readonly node: string;
  readonly destination: Cidr;
  /** Undefined when the kernel has no route: the peer is not reachable. */
  readonly via: { readonly link: string; readonly gateway: Ip | undefined } | undefined;
}

export async function readStatus(context: LabContext): Promise<LabStatus> {
  const { state, store } = context;
  const processes = findProcesses(state.id);
  const { available, error } = await readAvailability(store);
  const pods = listPods(context);
  const nodes = state.nodes.map((node) => ({
    name: node.name,
    namespace: node.namespace,
    segment: node.segment,
    addresses: node.addresses,
    podCidrs: node.podCidrs,
    agent: processStatus(processes, agentRole(node.name)),
    policyAgent: state.spec.policy === 'off' ? undefined : processStatus(processes, policyAgentRole(node.name)),
    networkAvailable: available.has(node.name),
    peers: readPeerRoutes(node, state.nodes),
    pods: pods.filter((pod) => pod.node === node.name),
  }));
  const apiServer = processStatus(processes, API_ROLE);
  const adminApi = adminApiStatus(context, processes);
  const healthy = error === undefined && apiServer.running && adminApi.address !== undefined && nodes.every(isHealthy);
  return { spec: state.spec, healthy, apiServer, apiError: error, adminApi, nodes };
}

function adminApiStatus({ paths }: LabContext, processes: readonly LabProcess[]): LabStatus['adminApi'] {
  const found = processStatus(processes, ADMIN_API_ROLE);
  return { ...found, address: found.running ? readAdminApiAddress(paths) : undefined };
}

function isHealthy({ agent, policyAgent, networkAvailable, peers }: NodeStatus): boolean {
  const isRunning = agent.running && policyAgent?.running !== false;
  return isRunning && networkAvailable && peers.every((peer) => peer.via !== undefined);
}

async function readAvailability(store: Store): Promise<{ available: ReadonlySet<string>; error: string | undefined }> {
  try {
    const nodes = await store.list(NODES);
    return { available: new Set(nodes.filter(networkIsAvailable).map((node) => node.metadata.name)), error: undefined };
  } catch (error) {
    return { available: new Set(), error: error instanceof Error ? error.message : String(error) };
  }
}

function processStatus(processes: readonly LabProcess[], role: string): ProcessStatus {
  const found = processes.find((one) => one.role === role);
  return { running: found !== undefined, pid: found?.pid, residentBytes: found?.residentBytes };
}

/** For each pod subnet of each other node, the route that its first pod would be reached by. */
export function readPeerRoutes(node: NodePlan, nodes: readonly NodePlan[]): readonly PeerRoute[] {
  if (!namespaceExists(node.namespace)) return [];
  using rtnetlink = rtnetlinkIn(node.namespace);
  const routes = listRoutes(rtnetlink, { type: RTN.UNICAST });
  return nodes
    .filter((peer) => peer.name !== node.name)
    .flatMap((peer) =>
      peer.podCidrs.map((destination) => ({
        node: peer.name,
        destination,
        via: describeRoute(rtnetlink, findRoute(routes, destination)),
      })),
    );
}

/** The most specific one that is not the default route, which leads out of the cluster. */
function findRoute(routes: readonly Route[], destination: Cidr): Route | undefined {
  const covering = routes.filter((route) => {
    const to = routeDestination(route);
    return to !== undefined && to.prefixLen > 0 && cidrContains(to, destination.ip);
  });
  return covering.sort((a, b) => b.dstLen - a.dstLen)[0];
}

function describeRoute(rtnetlink: NetlinkConnection, route: Route | undefined): PeerRoute['via'] {
  if (route === undefined) return undefined;
  const nexthop = route.nexthopId === undefined ? undefined : getNexthop(rtnetlink, route.nexthopId);
  const oif = route.oif ?? nexthop?.oif;
  if (oif === undefined) return undefined;
  return { link: getLink(rtnetlink, { index: oif }).name ?? `#${oif}`, gateway: route.gateway ?? nexthop?.gateway };
}
