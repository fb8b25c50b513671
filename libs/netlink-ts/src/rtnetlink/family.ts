import { type Ip, type IpFamily, isIpv4 } from 'net-types';

/** Address families that rtnetlink objects have (AF_* of sys/socket.h). */
export const AF = { UNSPEC: 0, INET: 2, BRIDGE: 7, INET6: 10, MPLS: 28 } as const;

/** AF_INET or AF_INET6. */
export function familyOfIp(ip: Ip): number {
  return isIpv4(ip) ? AF.INET : AF.INET6;
}

/** AF_INET or AF_INET6 for 4 or 6, AF_UNSPEC (both) for undefined. */
export function familyNumber(family: IpFamily | undefined): number {
  return family === undefined ? AF.UNSPEC : family === 4 ? AF.INET : AF.INET6;
}
