/**
 * How an agent without memory tells its own kernel objects from those of others. Only these are ever deleted:
 * - devices: vxlan devices that carry LINK_ALIAS, which a device gets when canal makes it or takes it over;
 * - routes, nexthop objects and proxy neighbours: those of canal's route protocol;
 * - addresses, neighbours, forwarding entries: those on such a device;
 * - what flannel left on such a device: its routes carry no mark (protocol boot), but go over it with a gateway, onlink.
 */
import {
  type ActualLink,
  type ActualNexthop,
  type ActualProxy,
  type ActualRoute,
  HOST_VETH_PREFIX,
  LINK_ALIAS,
  NODE_ROUTE_PROTOCOL,
  POD_ROUTE_PROTOCOL,
} from '@canal/model';
import type { InterfaceName, Ip } from 'net-types';

/** RTPROT_BOOT: what `ip route add` and flannel write. */
const BOOT_PROTOCOL = 3;

export function isOwnLink(link: ActualLink): boolean {
  return link.vxlan !== undefined && !link.vxlan.external && link.alias === LINK_ALIAS;
}

export function isOwnNexthop(nexthop: ActualNexthop): boolean {
  return nexthop.protocol === NODE_ROUTE_PROTOCOL;
}

export function isOwnRoute(route: ActualRoute): boolean {
  return route.protocol === NODE_ROUTE_PROTOCOL || route.protocol === POD_ROUTE_PROTOCOL;
}

export function isOwnProxy({ protocol }: ActualProxy): boolean {
  return protocol === POD_ROUTE_PROTOCOL;
}

/** `ownLinks`: names of devices that are ours, those about to be taken over among them. */
export function isFlannelLeftover(route: ActualRoute, ownLinks: ReadonlySet<InterfaceName>): boolean {
  const { protocol, target } = route;
  return protocol === BOOT_PROTOCOL && target.type === 'gateway' && target.onlink && ownLinks.has(target.link);
}

/** The same way for the same packets, under no name in particular: flannel's host-gw route is our own but for its mark. */
export function isSameWayUnmarked({ protocol, target }: ActualRoute, way: Way): boolean {
  if (protocol !== BOOT_PROTOCOL || (target.type !== 'gateway' && target.type !== 'link')) return false;
  const gateway = target.type === 'gateway' ? target.gateway : undefined;
  return gateway === way.gateway && target.link === way.link;
}

/** Link and gateway, if any, of a route, whether it says so itself or through a nexthop object. */
export interface Way {
  readonly gateway: Ip | undefined;
  readonly link: InterfaceName;
}

/**
 * Names that canal gives to devices: what a snapshot has to look at. A name alone is no proof of ownership, see
 * `isOwnLink`.
 */
export function isOwnLinkName(name: InterfaceName): boolean {
  return TUNNEL_NAME.test(name) || name.startsWith(HOST_VETH_PREFIX);
}

const TUNNEL_NAME = /^flannel(?:-v6)?\.[0-9]{1,8}$/;
