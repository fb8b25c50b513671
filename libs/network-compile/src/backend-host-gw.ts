/**
 * host-gw: the peer itself is the router of its pod subnet, so it must be on a network of ours. A router in between
 * would get packets for pods that it knows nothing of; such a peer is reported, where flannel drops its traffic unseen.
 */
import type { IpPath } from '@canal/model';
import { formatIp } from 'net-types';
import type { Backend, BackendContext, BackendPart, Hop, UsablePeer } from './backend.ts';
import type { OwnFamily } from './compile-input.ts';
import type { NetworkProblem } from './problem.ts';

export const hostGwBackend: Backend = {
  type: 'host-gw',
  needsPaths: () => true,
  compile: compileHostGw,
};

function compileHostGw(context: BackendContext, peers: readonly UsablePeer[]): BackendPart {
  const hops: Hop[] = [];
  const problems: NetworkProblem[] = [];
  if (context.announced && context.own.publicIp !== context.own.source) problems.push(publicIpNotLocal(context.own));
  for (const candidate of peers) {
    const path = context.pathTo(candidate.endpoint.publicIp);
    if (path?.type === 'direct') hops.push(directHop(candidate, path));
    else problems.push(notAdjacent(candidate, path));
  }
  return {
    links: [],
    addresses: [],
    neighbours: [],
    fdb: [],
    hops,
    sysctls: [],
    problems,
    mtuBytes: context.own.linkMtuBytes,
  };
}

/** The route past any tunnel, for a peer on a network of ours. */
export function directHop({ endpoint }: UsablePeer, path: Extract<IpPath, { type: 'direct' }>): Hop {
  return {
    family: endpoint.family,
    destination: endpoint.subnet,
    gateway: endpoint.publicIp,
    link: path.link,
    onlink: false,
  };
}

function notAdjacent({ peer, endpoint }: UsablePeer, path: IpPath | undefined): NetworkProblem {
  const address = formatIp(endpoint.publicIp);
  const why =
    path?.type === 'gateway'
      ? `it is behind the router ${formatIp(path.gateway)}`
      : 'it is on none of the networks that this node is connected to';
  return {
    code: 'PeerNotAdjacent',
    severity: 'error',
    peer: peer.name,
    family: endpoint.family,
    message: `node ${peer.name} (${address}) announces host-gw but cannot be reached without a router: ${why}`,
    cure: 'use the vxlan backend with "DirectRouting": true: as fast as host-gw between neighbours, and it crosses routers',
  };
}

function publicIpNotLocal(own: OwnFamily): NetworkProblem {
  return {
    code: 'PublicIpNotLocal',
    severity: 'error',
    family: own.family,
    message: `this node announces ${formatIp(own.publicIp)}, but its interface ${own.link} has ${formatIp(own.source)}: with host-gw peers cannot reach it through NAT`,
    cure: `announce ${formatIp(own.source)} (--public-ip, --public-ipv6), or use the vxlan backend`,
  };
}
