import { type Ip, type IpFamily, isIpv4 } from 'net-types';
import { RT_SCOPE } from '../address/constants.ts';
import type { NetlinkConnection } from '../connection/connection.ts';
import { isNotFound } from '../connection/netlink-error.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { AF, familyNumber, familyOfIp } from '../rtnetlink/family.ts';
import { RTM } from '../rtnetlink/message-types.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLM_F } from '../wire/message.ts';
import { RT_TABLE, RTM_F, RTN, RTPROT } from './constants.ts';
import { type Route, routeCodec, type RouteInput, routeTableOf } from './message.ts';

export interface RouteFilter {
  readonly family?: IpFamily;
  readonly table?: number;
  readonly protocol?: number;
  /** RTN_*. */
  readonly type?: number;
  /** Outgoing device. */
  readonly oif?: number;
}

/**
 * Adds a route; fails with EEXIST if one to the same destination, table and metric is there. With NLM_F.CREATE |
 * NLM_F.REPLACE it takes that one's place. Left-out fields get what `ip route add` gives them: table main, type unicast,
 * protocol boot, scope by type.
 */
export function newRoute(route: RouteInput, flags: number = NLM_F.CREATE | NLM_F.EXCL): NetlinkRequest {
  const type = route.type ?? RTN.UNICAST;
  const { protocol = RTPROT.BOOT, scope = defaultScope(route, type) } = route;
  return objectRequest('new route', RTM.NEWROUTE, flags, routeCodec, { ...withTable(route), type, protocol, scope });
}

/** Removes the first route that has all of the given properties; left-out ones match anything. Table main by default. */
export function delRoute(route: RouteInput): NetlinkRequest {
  const { scope = RT_SCOPE.NOWHERE } = route;
  return objectRequest('delete route', RTM.DELROUTE, 0, routeCodec, { ...withTable(route), scope });
}

/** IPv4 and IPv6 routes of all tables, or those that match the filter. */
export function listRoutes(connection: NetlinkConnection, filter: RouteFilter = {}): Route[] {
  const { family, table, protocol, type, oif } = filter;
  const request: RouteInput = {
    family: familyNumber(family),
    ...(table !== undefined && { table }),
    ...(protocol !== undefined && { protocol }),
    ...(type !== undefined && { type }),
    ...(oif !== undefined && { oif }),
  };
  const routes = dumpTable(connection, request);
  // Kernels before 5.0 filter nothing, and IPv6 never filters what is cached beside the table.
  return routes.filter((route) => matches(route, filter));
}

/** The kernel makes a table with its first route: asked for one that has had none (a new namespace), it says ENOENT. */
function dumpTable(connection: NetlinkConnection, request: RouteInput): Route[] {
  try {
    return connection.dump(objectQuery('list routes', RTM.GETROUTE, RTM.NEWROUTE, routeCodec, request));
  } catch (error) {
    if (request.table !== undefined && isNotFound(error)) return [];
    throw error;
  }
}

/** The route that packets to the address take. Throws a NetlinkError (ENETUNREACH, EHOSTUNREACH) if there is none. */
export function lookUpRoute(connection: NetlinkConnection, to: Ip, options: { from?: Ip; oif?: number } = {}): Route {
  const { from, oif } = options;
  const bits = isIpv4(to) ? 32 : 128;
  const request: RouteInput = {
    family: familyOfIp(to),
    dst: to,
    dstLen: bits,
    // IPv6 tells the table unasked, and refuses the flag.
    flags: isIpv4(to) ? RTM_F.LOOKUP_TABLE : 0,
    ...(from !== undefined && { src: from, srcLen: bits }),
    ...(oif !== undefined && { oif }),
  };
  return connection.get(objectQuery('look up route', RTM.GETROUTE, RTM.NEWROUTE, routeCodec, request));
}

function withTable(route: RouteInput): RouteInput {
  const table = route.table ?? RT_TABLE.MAIN;
  return { ...route, table, headerTable: table < 256 ? table : RT_TABLE.UNSPEC };
}

/** IPv4 checks the scope of a route against that of its gateway; IPv6 has none. As iproute2 chooses. */
function defaultScope(route: RouteInput, type: number): number {
  if (route.family === AF.INET6) return RT_SCOPE.UNIVERSE;
  if (type === RTN.LOCAL || type === RTN.NAT) return RT_SCOPE.HOST;
  if (type === RTN.BROADCAST || type === RTN.MULTICAST || type === RTN.ANYCAST) return RT_SCOPE.LINK;
  const direct =
    route.gateway === undefined &&
    route.via === undefined &&
    route.multipath === undefined &&
    route.nexthopId === undefined;
  return type === RTN.UNICAST && direct ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE;
}

function matches(route: Route, { table, protocol, type, oif }: RouteFilter): boolean {
  // A listing of all families has multicast forwarding and MPLS in it.
  if (route.family !== AF.INET && route.family !== AF.INET6) return false;
  if ((route.flags & RTM_F.CLONED) !== 0) return false;
  if (table !== undefined && routeTableOf(route) !== table) return false;
  if (protocol !== undefined && route.protocol !== protocol) return false;
  if (type !== undefined && route.type !== type) return false;
  return oif === undefined || route.oif === oif || route.multipath?.some(({ index }) => index === oif) === true;
}
