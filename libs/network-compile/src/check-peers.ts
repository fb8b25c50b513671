/**
 * What other nodes say of themselves is hostile input: whoever can write one Node object must not draw the traffic of
 * others. These checks hold for every backend; each backend adds those of its own data.
 */
import type { Peer, PeerEndpoint } from '@canal/model';
import {
  type Cidr,
  cidrContainsCidr,
  cidrsOverlap,
  formatCidr,
  formatIp,
  hostCidr,
  type Ip,
  type IpFamily,
} from 'net-types';
import type { UsablePeer } from './backend.ts';
import type { HostNetwork, OwnFamily } from './compile-input.ts';
import type { NetworkProblem } from './problem.ts';
import { publicIpFault } from './public-ip.ts';
import { SubnetClaims } from './subnet-claims.ts';

export interface PeerCheckContext {
  readonly nodeName: string;
  readonly own: OwnFamily;
  readonly ownAddresses: ReadonlySet<Ip>;
  readonly hostNetworks: readonly HostNetwork[];
  /** Cluster network of the family. */
  readonly network: Cidr;
}

export interface CheckedPeers {
  readonly usable: readonly UsablePeer[];
  readonly problems: readonly NetworkProblem[];
}

/** `peers` without this node. The result is in the order in which contested things are given away: by seniority. */
export function checkPeers(context: PeerCheckContext, peers: readonly Peer[]): CheckedPeers {
  const family = context.own.family;
  const candidates = [...peers].sort(bySeniority).flatMap((peer) => endpointsOf(peer, family));
  const claims = new SubnetClaims(
    [context.own.subnet, ...candidates.map((c) => c.endpoint.subnet)].map((c) => c.prefixLen),
  );
  claims.claim(context.own.subnet, context.nodeName);
  const problems: NetworkProblem[] = [];
  const passes = (fault: NetworkProblem | undefined): boolean => {
    if (fault !== undefined) problems.push(fault);
    return fault === undefined;
  };
  const holders = candidates.filter((candidate) =>
    passes(publicIpProblem(context, candidate) ?? subnetProblem(context, candidate, claims)),
  );
  const publicIps = new Map<Ip, string>();
  const usable: UsablePeer[] = [];
  for (const candidate of holders) {
    // When all subnets are known: a subnet is given by the cluster, an address is what the node says of itself.
    if (!passes(podAddressProblem(candidate, claims))) continue;
    const { peer, endpoint } = candidate;
    const holder = publicIps.get(endpoint.publicIp);
    if (holder === undefined) publicIps.set(endpoint.publicIp, peer.name);
    else problems.push(duplicatePublicIp(peer, endpoint, holder));
    usable.push(candidate);
  }
  return { usable, problems };
}

/** Older nodes first, then by name: a late comer never takes what somebody has. */
function bySeniority(a: Peer, b: Peer): number {
  const age = (a.createdMs ?? Number.POSITIVE_INFINITY) - (b.createdMs ?? Number.POSITIVE_INFINITY);
  if (age < 0 || age > 0) return age;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** A second endpoint of the same family would be a second subnet: flannel's annotations have no such thing. */
function endpointsOf(peer: Peer, family: IpFamily): UsablePeer[] {
  const endpoint = peer.endpoints.find((candidate) => candidate.family === family);
  return endpoint === undefined ? [] : [{ peer, endpoint }];
}

function publicIpProblem(context: PeerCheckContext, { peer, endpoint }: UsablePeer): NetworkProblem | undefined {
  const ip = endpoint.publicIp;
  const fault =
    publicIpFault(ip) ??
    (context.ownAddresses.has(ip) || ip === context.own.publicIp ? 'an address of this node' : undefined);
  return fault === undefined ? undefined : invalidPublicIp({ peer, endpoint }, fault);
}

/** Inside the cluster network but in nobody's subnet is fine: nodes in 10.x with the Network 10.0.0.0/8. */
function podAddressProblem(candidate: UsablePeer, claims: SubnetClaims): NetworkProblem | undefined {
  const holder = claims.holderOf(hostCidr(candidate.endpoint.publicIp));
  return holder === undefined ? undefined : invalidPublicIp(candidate, `inside the pod subnet of node ${holder}`);
}

function invalidPublicIp({ peer, endpoint }: UsablePeer, fault: string): NetworkProblem {
  const annotation = endpoint.family === 4 ? 'public-ip' : 'public-ipv6';
  return {
    code: 'InvalidPublicIp',
    severity: 'error',
    peer: peer.name,
    family: endpoint.family,
    message: `node ${peer.name} announces ${formatIp(endpoint.publicIp)} as its address, which is ${fault}`,
    cure: `on ${peer.name}, choose the interface with --iface or the address with --public-ip (annotation ${annotation})`,
  };
}

function subnetProblem(
  context: PeerCheckContext,
  { peer, endpoint }: UsablePeer,
  claims: SubnetClaims,
): NetworkProblem | undefined {
  const subject = { severity: 'error', peer: peer.name, family: endpoint.family } as const;
  const subnet = formatCidr(endpoint.subnet);
  if (!cidrContainsCidr(context.network, endpoint.subnet)) {
    return {
      ...subject,
      code: 'SubnetOutsideNetwork',
      message: `node ${peer.name} has the pod subnet ${subnet}, which is not inside the cluster's ${formatCidr(context.network)}`,
      cure: 'make Network (IPv6Network) in net-conf.json the cluster CIDR that kube-controller-manager uses',
    };
  }
  // Its route would take the traffic of that network, or that network's route the traffic of its pods.
  const lan = context.hostNetworks.find(({ network }) => cidrsOverlap(network, endpoint.subnet));
  if (lan !== undefined) {
    return {
      ...subject,
      code: 'SubnetOverlapsHost',
      message: `node ${peer.name} has the pod subnet ${subnet}, which overlaps ${formatCidr(lan.network)}, a network of this host on ${lan.link}`,
      cure:
        'choose another cluster network (--cluster-cidr of kube-controller-manager and Network in net-conf.json), ' +
        `or take ${formatCidr(lan.network)} from ${lan.link}`,
    };
  }
  const holder = claims.claim(endpoint.subnet, peer.name);
  if (holder === undefined) return undefined;
  return {
    ...subject,
    code: 'DuplicateLease',
    message: `node ${peer.name} has the pod subnet ${subnet}, which overlaps the one of node ${holder}; ${holder} keeps it`,
    cure: `delete the Node object that is no longer in use, or give ${peer.name} another podCIDR by re-creating it`,
  };
}

function duplicatePublicIp(peer: Peer, endpoint: PeerEndpoint, holder: string): NetworkProblem {
  return {
    code: 'DuplicatePublicIp',
    severity: 'warning',
    peer: peer.name,
    family: endpoint.family,
    message: `nodes ${holder} and ${peer.name} announce the same address ${formatIp(endpoint.publicIp)}`,
    cure: 'delete the Node object that is no longer in use; behind one NAT address only one node can be reached',
  };
}
