/** What the choice of the external interface is made from. */
import type { DefaultRoute, InterfaceAddressFacts, InterfaceFacts } from '@canal/kernel-port';
import { NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL } from '@canal/model';
import { type Cidr, type Ip, type IpFamily } from 'net-types';
import {
  type Address,
  AF,
  IFA_F,
  IFF,
  interfaceAddressOf,
  type Link,
  listAddresses,
  listLinks,
  listRoutes,
  type NetlinkConnection,
  type Route,
  RT_SCOPE,
  RT_TABLE,
  routeDestination,
  RTN,
} from 'netlink-ts';
import { linkName, LinkNames } from './link-names.ts';

export function listInterfaces(connection: NetlinkConnection): InterfaceFacts[] {
  const links = listLinks(connection);
  const addresses = Map.groupBy(listAddresses(connection), ({ index }) => index);
  const networks = Map.groupBy(mainRoutes(connection).filter(isConnected), ({ oif }) => oif);
  return links.flatMap((link) => toFacts(link, addresses.get(link.index) ?? [], networks.get(link.index) ?? []) ?? []);
}

function toFacts(link: Link, addresses: readonly Address[], connected: readonly Route[]): InterfaceFacts | undefined {
  const name = linkName(link);
  if (name === undefined) return undefined;
  const has = (flag: number): boolean => (link.flags & flag) !== 0;
  return {
    name,
    up: has(IFF.UP),
    carrier: has(IFF.LOWER_UP),
    loopback: has(IFF.LOOPBACK),
    pointToPoint: has(IFF.POINTOPOINT),
    mtuBytes: link.mtu ?? 0,
    ...(link.info?.kind !== undefined && { kind: link.info.kind }),
    ...(link.address !== undefined && { mac: link.address }),
    addresses: addresses.flatMap((address) => toAddressFacts(address) ?? []),
    onLinkNetworks: connected.map(routeDestination).filter((network): network is Cidr => network !== undefined),
  };
}

function toAddressFacts(message: Address): InterfaceAddressFacts | undefined {
  const address = interfaceAddressOf(message);
  if (address === undefined) return undefined;
  const flags = message.flags ?? message.headerFlags;
  return {
    address,
    linkScope: message.scope === RT_SCOPE.LINK,
    permanent: (flags & IFA_F.PERMANENT) !== 0,
    // The same bit means "secondary" for IPv4.
    temporary: message.family === AF.INET6 && (flags & IFA_F.SECONDARY) !== 0,
    deprecated: (flags & IFA_F.DEPRECATED) !== 0,
    tentative: (flags & (IFA_F.TENTATIVE | IFA_F.DADFAILED)) !== 0,
  };
}

/** Best metric first, the kernel's order among equals. */
export function listDefaultRoutes(connection: NetlinkConnection): DefaultRoute[] {
  const names = LinkNames.read(connection);
  return mainRoutes(connection)
    .filter(({ dstLen, type }) => dstLen === 0 && type === RTN.UNICAST)
    .flatMap((route) => waysOf(route, names))
    .sort((a, b) => a.metric - b.metric);
}

function waysOf(route: Route, names: LinkNames): DefaultRoute[] {
  const family: IpFamily = route.family === AF.INET ? 4 : 6;
  const ways = route.multipath ?? [{ gateway: route.gateway, via: route.via, index: route.oif ?? 0 }];
  return ways.flatMap(({ gateway, via, index }): DefaultRoute[] => {
    const link = names.nameOf(index);
    const router: Ip | undefined = gateway ?? via;
    if (link === undefined) return [];
    return [
      {
        family,
        link,
        metric: route.priority ?? 0,
        ...(router !== undefined && { gateway: router }),
        ...(route.prefSrc !== undefined && { source: route.prefSrc }),
      },
    ];
  });
}

function mainRoutes(connection: NetlinkConnection): Route[] {
  return ([4, 6] as const).flatMap((family) => listRoutes(connection, { family, table: RT_TABLE.MAIN }));
}

/** A network on the link itself, by whatever daemon; canal's own routes to pods look alike and are not. */
function isConnected({ type, dstLen, gateway, via, nexthopId, multipath, protocol }: Route): boolean {
  const direct = gateway === undefined && via === undefined && nexthopId === undefined && multipath === undefined;
  return (
    type === RTN.UNICAST && dstLen > 0 && direct && protocol !== NODE_ROUTE_PROTOCOL && protocol !== POD_ROUTE_PROTOCOL
  );
}
