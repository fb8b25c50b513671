/**
 * Map keys of addresses. Printing ten thousand IPv6 addresses costs more than comparing them, and nobody reads a key;
 * the family is in it because the same number is another address in the other one.
 */
import { type Cidr, type Ip, isIpv4 } from 'net-types';

export function ipKey(ip: Ip): string {
  return isIpv4(ip) ? `4:${ip}` : `6:${ip.toString(32)}`;
}

export function cidrKey({ ip, prefixLen }: Cidr): string {
  return `${ipKey(ip)}/${prefixLen}`;
}
