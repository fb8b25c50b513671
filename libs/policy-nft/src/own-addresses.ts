import { type NetnsRef, openNetlinkConnection } from '@canal/linux-ffi';
import { type Cidr, cidrContains, familyBits, type Ip, ipFamily } from 'net-types';
import { listRoutes, routeDestination, RTN } from 'netlink-ts';

/** What `fib saddr type local` matches in the namespace at this moment: its addresses, and blocks such as 127.0.0.0/8. */
export function ownAddresses(netns: NetnsRef | undefined): (ip: Ip) => boolean {
  using connection = openNetlinkConnection({ netns });
  const hosts = new Set<Ip>();
  const blocks: Cidr[] = [];
  for (const route of listRoutes(connection, { type: RTN.LOCAL })) {
    const destination = routeDestination(route);
    if (destination === undefined) continue;
    if (destination.prefixLen === familyBits(ipFamily(destination.ip))) hosts.add(destination.ip);
    else blocks.push(destination);
  }
  return (ip) => hosts.has(ip) || blocks.some((block) => cidrContains(block, ip));
}
