/** Routes and nexthop objects in the model's words. */
import {
  type ActualNexthop,
  type ActualRoute,
  NEXTHOP_ID_COUNT,
  NEXTHOP_ID_FIRST,
  type OtherTarget,
  type RouteTarget,
} from '@canal/model';
import { formatIp, type InterfaceName, type Ip, ipFamily } from 'net-types';
import { type Nexthop, type Route, routeDestination, RTN, RTNH_F } from 'netlink-ts';
import type { LinkNames } from './link-names.ts';

export function toActualRoute(route: Route, names: LinkNames): ActualRoute | undefined {
  const destination = routeDestination(route);
  if (destination === undefined) return undefined;
  const source = route.prefSrc === undefined ? {} : { source: route.prefSrc };
  return {
    protocol: route.protocol,
    destination,
    metric: route.priority ?? 0,
    target: toTarget(route, names),
    ...source,
  };
}

function toTarget(route: Route, names: LinkNames): RouteTarget | OtherTarget {
  if (route.type === RTN.BLACKHOLE) return { type: 'blackhole' };
  // The kernel adds gateway and device of the object for readers that know no objects.
  if (route.nexthopId !== undefined) return { type: 'nexthop', id: route.nexthopId };
  const link = names.nameOf(route.oif);
  if (route.type !== RTN.UNICAST || link === undefined || route.multipath !== undefined || route.via !== undefined) {
    return otherTarget(route, names);
  }
  const { gateway } = route;
  if (gateway === undefined) return { type: 'link', link };
  return { type: 'gateway', gateway, link, onlink: (route.flags & RTNH_F.ONLINK) !== 0 };
}

const TYPE_WORDS: Readonly<Record<number, string>> = {
  [RTN.LOCAL]: 'local',
  [RTN.BROADCAST]: 'broadcast',
  [RTN.ANYCAST]: 'anycast',
  [RTN.MULTICAST]: 'multicast',
  [RTN.UNREACHABLE]: 'unreachable',
  [RTN.PROHIBIT]: 'prohibit',
  [RTN.THROW]: 'throw',
};

function otherTarget(route: Route, names: LinkNames): OtherTarget {
  const hops = route.multipath ?? [{ gateway: route.gateway, via: route.via, index: route.oif }];
  const links = hops.flatMap(({ index }) => names.nameOf(index) ?? []);
  const texts = hops.map(({ gateway, via, index }) => hopText(gateway ?? via, names.nameOf(index)));
  const text = [TYPE_WORDS[route.type], ...texts].filter((word) => word !== undefined && word !== '').join(' ');
  return { type: 'other', text: text === '' ? `type ${route.type}` : text, links };
}

function hopText(gateway: Ip | undefined, link: InterfaceName | undefined): string {
  const words = [gateway === undefined ? '' : `via ${formatIp(gateway)}`, link === undefined ? '' : `dev ${link}`];
  return words.filter((word) => word !== '').join(' ');
}

/** undefined for an object that is neither in canal's id range nor of a protocol in question. */
export function toActualNexthop(
  nexthop: Nexthop,
  names: LinkNames,
  protocols: readonly number[],
): ActualNexthop | undefined {
  const { id, protocol, gateway, oif, flags } = nexthop;
  if (id === undefined) return undefined;
  if (!protocols.includes(protocol) && !isNexthopIdOfCanal(id)) return undefined;
  const link = names.nameOf(oif);
  if (gateway === undefined || link === undefined) return { id, protocol };
  const onlink = (flags & RTNH_F.ONLINK) !== 0;
  return { id, protocol, target: { family: ipFamily(gateway), link, gateway, onlink } };
}

export function isNexthopIdOfCanal(id: number): boolean {
  return id >= NEXTHOP_ID_FIRST && id < NEXTHOP_ID_FIRST + NEXTHOP_ID_COUNT;
}
