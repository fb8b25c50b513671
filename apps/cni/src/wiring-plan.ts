/**
 * What one attachment wants in the kernel, as data. Routed mode: each pod is a link of its own, and the next hop inside is
 * an address that nobody has, resolved by permanent neighbour entries:
 *
 *     pod   eth0  10.244.1.5/32   default via 169.254.1.1    169.254.1.1 is at hostMac (permanent)
 *     host  cnl…  (no address)    10.244.1.5 dev cnl…        10.244.1.5 is at containerMac (permanent)
 *
 * Bridge mode: the pod is in its node's subnet, and the bridge has the gateway's address. Where policy is required the way
 * to the pod is as in routed mode, its port is isolated from others, and the bridge answers for it (see compile-pods.ts of
 * network-compile, by which the node agent keeps all this in repair).
 */
import type { Attachment } from '@canal/model';
import {
  type Cidr,
  cidrOf,
  hostCidr,
  type InterfaceAddress,
  type InterfaceName,
  type Ip,
  ipFamily,
  type Mac,
  parseIp,
  unwrap,
} from 'net-types';

/** Next hops of routed mode, by family; link-local, so that they exist on each link apart. */
export const ROUTED_GATEWAY = {
  4: unwrap(parseIp('169.254.1.1')),
  6: unwrap(parseIp('fe80::1')),
} as const;

const ANYWHERE = { 4: unwrap(parseIp('0.0.0.0')), 6: unwrap(parseIp('::')) } as const;

export interface PodRoute {
  readonly destination: Cidr;
  /** Absent: the destination is on the link itself. */
  readonly gateway?: Ip;
}

export interface BridgePlan {
  readonly name: InterfaceName;
  readonly mac: Mac;
  /** Empty when the bridge shall be no gateway. */
  readonly addresses: readonly InterfaceAddress[];
  readonly hairpin: boolean;
  /** Pods reach each other through the node alone, where policy is enforced. */
  readonly isolated: boolean;
}

export interface WiringPlan {
  readonly attachment: Attachment;
  /** In order: a gateway must be reachable before the route that goes by it. */
  readonly podRoutes: readonly PodRoute[];
  /** Routed mode: the node agent repairs route and neighbour of each address from the record. */
  readonly bridge?: BridgePlan;
}

export function planRouted(attachment: Attachment): WiringPlan {
  const podRoutes = attachment.gateways.flatMap((gateway): PodRoute[] => {
    // IPv6 takes a link-local next hop as it is, IPv4 wants a route to it.
    const toGateway = ipFamily(gateway) === 4 ? [{ destination: hostCidr(gateway) }] : [];
    return [...toGateway, { destination: defaultOf(gateway), gateway }];
  });
  return { attachment, podRoutes };
}

/** `clusterNetworks`: routes that flannel gives to pods beside the default one. */
export function planBridge(
  attachment: Attachment,
  bridge: BridgePlan,
  routes: { readonly isDefaultGateway: boolean; readonly clusterNetworks: readonly Cidr[] },
): WiringPlan {
  const podRoutes = attachment.gateways.flatMap((gateway) => {
    const networks = routes.clusterNetworks.filter((network) => ipFamily(network.ip) === ipFamily(gateway));
    const destinations = [...(routes.isDefaultGateway ? [defaultOf(gateway)] : []), ...networks];
    return destinations.map((destination) => ({ destination, gateway }));
  });
  return { attachment, podRoutes, bridge };
}

function defaultOf(gateway: Ip): Cidr {
  return cidrOf(ANYWHERE[ipFamily(gateway)], 0);
}
