import type { SnapshotScope } from '@canal/kernel-port';
import type {
  ActualAddress,
  ActualFdbEntry,
  ActualNeighbour,
  ActualNexthop,
  ActualProxy,
  ActualRoute,
  NetworkSnapshot,
} from '@canal/model';
import { BRIDGE_NAME } from '@canal/model';
import { type Cidr, cidrEquals, formatCidr } from 'net-types';
import {
  interfaceAddressOf,
  isNotSupported,
  type Link,
  listAddresses,
  listFdb,
  listLinks,
  listNeighbours,
  listNexthops,
  listProxies,
  listRoutes,
  type NetlinkConnection,
  NUD,
  type Route,
  RT_SCOPE,
  RT_TABLE,
  routeDestination,
  RTPROT,
} from 'netlink-ts';
import { linkName, LinkNames } from './link-names.ts';
import { toActualLink, toActualSysctls } from './read-links.ts';
import { toActualNexthop, toActualRoute } from './read-routes.ts';
import type { SysctlFiles } from './sysctl-files.ts';

/** Each listing is whole by itself; what changes between two of them is an event, and so read again. */
export function readSnapshot(connection: NetlinkConnection, files: SysctlFiles, scope: SnapshotScope): NetworkSnapshot {
  const links = listLinks(connection);
  const names = new LinkNames(links);
  const bridge = links.map(linkName).find((name) => name === BRIDGE_NAME);
  return {
    links: links.flatMap((link) => toActualLink(link, names) ?? []),
    addresses: readAddresses(connection, names, scope),
    neighbours: readNeighbours(connection, names, scope),
    proxies: readProxies(connection, names),
    fdb: links.filter((link) => isTunnelInScope(link, scope)).flatMap((link) => readFdb(connection, link)),
    nexthops: readNexthops(connection, names, scope),
    routes: readRoutes(connection, names, scope),
    sysctls: [
      ...links.flatMap(toActualSysctls),
      ...files.readAll(),
      ...(bridge === undefined ? [] : files.readDelays(bridge)),
    ],
  };
}

function isTunnelInScope(link: Link, scope: SnapshotScope): boolean {
  const name = linkName(link);
  return link.info?.kind === 'vxlan' && name !== undefined && scope.links(name);
}

function readAddresses(connection: NetlinkConnection, names: LinkNames, scope: SnapshotScope): ActualAddress[] {
  return listAddresses(connection).flatMap((message): ActualAddress[] => {
    const link = names.nameOf(message.index);
    const address = interfaceAddressOf(message);
    if (link === undefined || address === undefined || !scope.links(link)) return [];
    return [{ link, address, linkScope: message.scope === RT_SCOPE.LINK }];
  });
}

function readNeighbours(connection: NetlinkConnection, names: LinkNames, scope: SnapshotScope): ActualNeighbour[] {
  return listNeighbours(connection).flatMap(({ index, state, dst, lladdr }): ActualNeighbour[] => {
    if (state !== NUD.PERMANENT || dst === undefined || lladdr === undefined) return [];
    const link = names.nameOf(index);
    return link !== undefined && scope.links(link) ? [{ link, ip: dst, mac: lladdr }] : [];
  });
}

function readProxies(connection: NetlinkConnection, names: LinkNames): ActualProxy[] {
  return listProxies(connection).flatMap(({ index, dst, protocol = 0 }): ActualProxy[] => {
    const link = names.nameOf(index);
    return link === undefined || dst === undefined ? [] : [{ link, ip: dst, protocol }];
  });
}

/** Entries that somebody set, not those that the device learned: NOARP is what `bridge fdb add … static` makes. */
function readFdb(connection: NetlinkConnection, device: Link): ActualFdbEntry[] {
  const link = linkName(device);
  if (link === undefined) return [];
  return listFdb(connection, { index: device.index }).flatMap(({ state, dst, lladdr }): ActualFdbEntry[] => {
    const set = (state & (NUD.PERMANENT | NUD.NOARP)) !== 0;
    return set && dst !== undefined && lladdr !== undefined ? [{ link, mac: lladdr, remote: dst }] : [];
  });
}

function readNexthops(connection: NetlinkConnection, names: LinkNames, scope: SnapshotScope): ActualNexthop[] {
  try {
    const nexthops = listNexthops(connection);
    return nexthops.flatMap((nexthop) => toActualNexthop(nexthop, names, scope.routeProtocols) ?? []);
  } catch (error) {
    // Before Linux 5.3 there are none.
    if (isNotSupported(error)) return [];
    throw error;
  }
}

/**
 * The kernel picks out the protocols, so a host with a full Internet table costs a walk, not its transfer. Only to name
 * who stands in the way is everything read.
 */
function readRoutes(connection: NetlinkConnection, names: LinkNames, scope: SnapshotScope): ActualRoute[] {
  const { routeProtocols, links, foreignDestinations = [] } = scope;
  const ours = routeProtocols.flatMap((protocol) => readTable(connection, { protocol }));
  const unmarked = readTable(connection, { protocol: RTPROT.BOOT }).filter((route) => {
    const link = names.nameOf(route.oif);
    return link !== undefined && links(link);
  });
  const foreign = foreignDestinations.length === 0 ? [] : readForeign(connection, scope, foreignDestinations, unmarked);
  return [...ours, ...unmarked, ...foreign].flatMap((route) => toActualRoute(route, names) ?? []);
}

function readForeign(
  connection: NetlinkConnection,
  { routeProtocols }: SnapshotScope,
  destinations: readonly Cidr[],
  read: readonly Route[],
): Route[] {
  const wanted = new Set(destinations.map(formatCidr));
  return readTable(connection, {}).filter((route) => {
    const destination = routeDestination(route);
    if (destination === undefined || !wanted.has(formatCidr(destination))) return false;
    return !routeProtocols.includes(route.protocol) && !read.some((other) => isSame(other, route));
  });
}

function isSame(a: Route, b: Route): boolean {
  const [left, right] = [routeDestination(a), routeDestination(b)];
  if (left === undefined || right === undefined || !cidrEquals(left, right)) return false;
  return a.protocol === b.protocol && a.priority === b.priority && a.oif === b.oif;
}

function readTable(connection: NetlinkConnection, filter: { readonly protocol?: number }): Route[] {
  const table = RT_TABLE.MAIN;
  return ([4, 6] as const).flatMap((family) => listRoutes(connection, { family, table, ...filter }));
}
