/**
 * A node's network from what is known of the cluster. The result depends on the input alone, not on the order of peers
 * nor on anything that was before; the two address families do not see each other.
 */
import {
  type DesiredNexthop,
  type DesiredRoute,
  type DesiredSysctl,
  type IpPath,
  type NetConf,
  type NetworkState,
  NODE_ROUTE_PROTOCOL,
  type Peer,
  type PeerEndpoint,
  type RouteTarget,
} from '@canal/model';
import { type Cidr, cidrContains, formatIp, type Ip, type IpFamily } from 'net-types';
import type { BackendContext, BackendPart, Hop, UsablePeer } from './backend.ts';
import { BACKENDS } from './backends.ts';
import { checkPeers } from './check-peers.ts';
import type { CompiledNetwork, CompileInput, KernelFacts, OwnFamily } from './compile-input.ts';
import { mergeStates } from './network-states.ts';
import { assignNexthopIds } from './nexthop-ids.ts';
import type { NetworkProblem } from './problem.ts';

/** Of two routes to one destination the lower metric wins, so any route to a local pod beats the blackhole. */
const WORST_METRIC = 0xffff_ffff;

export function compileNetwork(input: CompileInput): CompiledNetwork {
  const families = input.node.families.map((own) => compileFamily(input, own));
  const endpoints = families.map(({ endpoint }) => endpoint);
  return {
    state: mergeStates(...families.map(({ state }) => state)),
    problems: families.flatMap(({ problems }) => problems),
    podMtuBytes: Math.min(...families.map(({ mtuBytes }) => mtuBytes)),
    announcement: { name: input.node.name, backendType: input.conf.backend.type, endpoints },
  };
}

/** Public addresses whose path decides how a peer is reached; to be looked up again when routes change. */
export function pathsNeeded(conf: NetConf, peers: readonly Peer[]): readonly Ip[] {
  const types = new Set(BACKENDS.filter((backend) => backend.needsPaths(conf)).map((backend) => backend.type));
  const wanted = peers.filter((peer) => types.has(peer.backendType));
  return [...new Set(wanted.flatMap((peer) => peer.endpoints.map((endpoint) => endpoint.publicIp)))];
}

interface CompiledFamily {
  readonly state: NetworkState;
  readonly problems: readonly NetworkProblem[];
  readonly mtuBytes: number;
  readonly endpoint: PeerEndpoint;
}

function compileFamily(input: CompileInput, own: OwnFamily): CompiledFamily {
  const { conf, node } = input;
  const others = input.peers.filter((peer) => peer.name !== node.name);
  const network = clusterNetwork(conf, own);
  const ownAddresses = new Set(node.ownAddresses);
  const hostNetworks = node.hostNetworks ?? own.onLinkNetworks.map((lan) => ({ link: own.link, network: lan }));
  const checked = checkPeers({ nodeName: node.name, own, ownAddresses, hostNetworks, network }, others);
  const groups = Map.groupBy(checked.usable, ({ peer }) => peer.backendType);
  const mixed = BACKENDS.some(({ type }) => type !== conf.backend.type && groups.has(type));
  const parts: BackendPart[] = [];
  let vtep: PeerEndpoint['vtep'];
  for (const backend of BACKENDS) {
    const group = groups.get(backend.type) ?? [];
    groups.delete(backend.type);
    const announced = conf.backend.type === backend.type;
    if (!announced && group.length === 0) continue;
    const part = backend.compile({ ...contextOf(input, own), announced, mixed }, group);
    if (announced) vtep = part.vtep;
    parts.push(part);
  }
  const unsupported = [...groups.values()].flat().map((candidate) => unsupportedBackend(candidate));
  const asymmetric = mixed || (conf.backend.type === 'vxlan' && conf.backend.directRouting);
  return {
    state: assemble(own, input.kernel, parts, asymmetric),
    problems: [...checked.problems, ...parts.flatMap(({ problems }) => problems), ...unsupported],
    mtuBytes: Math.min(...parts.map(({ mtuBytes }) => mtuBytes)),
    endpoint: {
      family: own.family,
      publicIp: own.publicIp,
      subnet: own.subnet,
      ...(vtep === undefined ? {} : { vtep }),
    },
  };
}

function clusterNetwork(conf: NetConf, own: OwnFamily): Cidr {
  // A family without a network of its own has no room for other nodes: their subnets are all outside.
  return (own.family === 4 ? conf.network : conf.ipv6Network) ?? own.subnet;
}

function contextOf(input: CompileInput, own: OwnFamily): Omit<BackendContext, 'announced' | 'mixed'> {
  const connected: IpPath = { type: 'direct', link: own.link };
  return {
    nodeName: input.node.name,
    own,
    conf: input.conf,
    kernel: input.kernel,
    pathTo: (ip) =>
      input.paths.get(ip) ?? (own.onLinkNetworks.some((network) => cidrContains(network, ip)) ? connected : undefined),
  };
}

function assemble(
  own: OwnFamily,
  kernel: KernelFacts,
  parts: readonly BackendPart[],
  asymmetric: boolean,
): NetworkState {
  const hops = parts.flatMap(({ hops: partHops }) => partHops).sort(byDestination);
  const { nexthops, routes } = routesOf(hops, kernel);
  return {
    links: parts.flatMap(({ links }) => links),
    upLinks: [],
    ports: [],
    addresses: parts.flatMap(({ addresses }) => addresses),
    neighbours: parts.flatMap(({ neighbours }) => neighbours).sort((a, b) => (a.ip < b.ip ? -1 : 1)),
    proxies: [],
    fdb: parts.flatMap(({ fdb }) => fdb).sort((a, b) => (a.mac < b.mac ? -1 : 1)),
    nexthops,
    routes: [ownBlackhole(own), ...routes],
    sysctls: [...hostSysctls(own, asymmetric), ...parts.flatMap(({ sysctls }) => sysctls)],
  };
}

function byDestination(a: Hop, b: Hop): number {
  return a.destination.ip < b.destination.ip ? -1 : 1;
}

/**
 * IPv4 routes go through nexthop objects: the kernel files IPv4 routes under a hash that leaves the gateway out, so
 * that thousands of routes with a gateway each end in one bucket and inserting them is quadratic (10,000 peers: 1.5 s
 * under RTNL against 71 ms). IPv6 has no such table, and a classic route outlives a loss of carrier, which takes a
 * nexthop object away until the agent puts it back; so IPv6 keeps classic routes.
 */
function routesOf(hops: readonly Hop[], kernel: KernelFacts): Pick<NetworkState, 'nexthops' | 'routes'> {
  const byObject = kernel.nexthopObjects ? hops.filter((hop) => hop.family === 4) : [];
  const ids = assignNexthopIds(byObject.map(nexthopKey), kernel.takenNexthopIds);
  const nexthops = new Map<number, DesiredNexthop>();
  for (const hop of byObject) {
    const id = ids.get(nexthopKey(hop));
    if (id !== undefined) nexthops.set(id, { id, family: 4, link: hop.link, gateway: hop.gateway, onlink: hop.onlink });
  }
  const routes = hops.map((hop): DesiredRoute => {
    const id = ids.get(nexthopKey(hop));
    return nodeRoute(hop.family, hop.destination, id === undefined ? classicTarget(hop) : { type: 'nexthop', id });
  });
  return { nexthops: [...nexthops.values()].sort((a, b) => a.id - b.id), routes };
}

function nexthopKey(hop: Hop): string {
  return `${hop.link} ${formatIp(hop.gateway)}`;
}

function classicTarget(hop: Hop): RouteTarget {
  return { type: 'gateway', gateway: hop.gateway, link: hop.link, onlink: hop.onlink };
}

function nodeRoute(family: IpFamily, destination: Cidr, target: RouteTarget): DesiredRoute {
  // IP6_RT_PRIO_USER: what the kernel makes of an IPv6 metric of 0.
  return { protocol: NODE_ROUTE_PROTOCOL, destination, metric: family === 4 ? 0 : 1024, target };
}

/**
 * Packets for a pod of ours that is gone, or not there yet, end here; without it they follow the default route out of
 * the cluster. The routes of routed pods are longer, the connected route of cni0 has a better metric: both win.
 */
function ownBlackhole(own: OwnFamily): DesiredRoute {
  return {
    protocol: NODE_ROUTE_PROTOCOL,
    destination: own.subnet,
    metric: WORST_METRIC,
    target: { type: 'blackhole' },
  };
}

function hostSysctls(own: OwnFamily, asymmetric: boolean): DesiredSysctl[] {
  const { family, link } = own;
  const all: DesiredSysctl = { link: 'all', family, name: 'forwarding', value: 1, enforce: true };
  // IPv6 forwards by the switch of conf/all alone; IPv4 asks the device that a packet came in by.
  if (family === 6) return [all];
  const forwarding: DesiredSysctl = { link, family, name: 'forwarding', value: 1, enforce: true };
  if (!asymmetric) return [all, forwarding];
  const loose: DesiredSysctl = { link, family, name: 'rp_filter', value: 2, acceptable: [0], enforce: false };
  return [all, forwarding, loose];
}

function unsupportedBackend({ peer, endpoint }: UsablePeer): NetworkProblem {
  const supported = BACKENDS.map((backend) => backend.type).join(', ');
  return {
    code: 'UnsupportedBackend',
    severity: 'error',
    peer: peer.name,
    family: endpoint.family,
    message: `node ${peer.name} announces the backend ${JSON.stringify(peer.backendType.slice(0, 40))}, which this node cannot speak`,
    cure: `set Backend.Type in net-conf.json to one of ${supported} and restart the agent on ${peer.name}`,
  };
}
