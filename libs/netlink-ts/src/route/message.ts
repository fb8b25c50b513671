import { type Cidr, cidrOf, type Ip, type Ipv4, type Ipv6 } from 'net-types';
import { AF, familyOfIp } from '../rtnetlink/family.ts';
import { objectCodec, type InputOf, type ObjectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { foreignRouteTable, routeTable } from './attributes.ts';
import { routeHeader } from './header.ts';

const ipRoute = objectCodec('route', routeHeader, routeTable);
const foreignRoute = objectCodec('route', routeHeader, foreignRouteTable);

/** A route as the kernel describes it. */
export type Route = ObjectOf<typeof ipRoute>;

/** A route in a request. */
export type RouteInput = InputOf<typeof ipRoute>;

export const routeCodec: ObjectCodec<Route, RouteInput> = {
  name: 'route',
  encode: (writer, value) => (isForeign(value.family ?? AF.UNSPEC) ? foreignRoute : ipRoute).encode(writer, value),
  decode: (source, start, end) => (isForeign(source.u8(start)) ? foreignRoute : ipRoute).decode(source, start, end),
};

function isForeign(family: number): boolean {
  return family !== AF.INET && family !== AF.INET6 && family !== AF.UNSPEC;
}

/** Family, destination and its length, for a request. */
export function routeTo(destination: Cidr): Pick<RouteInput, 'family' | 'dst' | 'dstLen'> {
  return { family: familyOfIp(destination.ip), dst: destination.ip, dstLen: destination.prefixLen };
}

/** Where a route leads: a default route has no address of its own. Undefined for families other than IP. */
export function routeDestination(route: RouteInput): Cidr | undefined {
  const { family, dst, dstLen = 0 } = route;
  if (family !== AF.INET && family !== AF.INET6) return undefined;
  const ip: Ip = dst ?? (family === AF.INET ? (0 as Ipv4) : (0n as Ipv6));
  return dstLen > (family === AF.INET ? 32 : 128) ? undefined : cidrOf(ip, dstLen);
}

/** The table number: the attribute if there, else the header's. */
export function routeTableOf(route: RouteInput): number {
  return route.table ?? route.headerTable ?? 0;
}
