/** Which addresses of a subnet pods may have. The rules are host-local's, so that both see the same pool. */
import {
  type Cidr,
  cidrContains,
  cidrFamily,
  cidrLast,
  compareIp,
  err,
  familyBits,
  formatCidr,
  formatIp,
  type Ip,
  ipAdd,
  ipFamily,
  ok,
  type Result,
} from 'net-types';

export interface RangeSpec {
  readonly subnet: Cidr;
  /** First address given out; the one after the network address when absent. */
  readonly rangeStart?: Ip;
  /** Last address given out; the last of the subnet (IPv4: the one before the broadcast address) when absent. */
  readonly rangeEnd?: Ip;
  /** Never given out; the first address after the network address when absent. */
  readonly gateway?: Ip;
}

/** first..last without the gateway are given out. */
export interface AddressRange {
  readonly subnet: Cidr;
  readonly first: Ip;
  readonly last: Ip;
  readonly gateway: Ip;
}

/** Ranges of one family; a container gets one address of each set. */
export type RangeSet = readonly AddressRange[];

/** A range that gives out neither network, broadcast (IPv4) nor gateway address; the error names the field. */
export function createRange(spec: RangeSpec): Result<AddressRange, string> {
  const { subnet } = spec;
  const family = cidrFamily(subnet);
  const afterNetwork = ipAdd(subnet.ip, 1);
  const highest = family === 4 ? ipAdd(cidrLast(subnet), -1) : cidrLast(subnet);
  // A /31 and a /127 have no address beside network and gateway.
  if (subnet.prefixLen > familyBits(family) - 2 || afterNetwork === undefined || highest === undefined) {
    return err(`subnet ${formatCidr(subnet)}: too small, expected at most /${familyBits(family) - 2}`);
  }
  const first = spec.rangeStart ?? afterNetwork;
  const last = spec.rangeEnd ?? highest;
  const gateway = spec.gateway ?? afterNetwork;
  for (const [name, ip] of [['rangeStart', first] as const, ['rangeEnd', last] as const]) {
    if (!cidrContains(subnet, ip) || compareIp(ip, afterNetwork) < 0 || compareIp(ip, highest) > 0) {
      return err(`${name} ${formatIp(ip)}: expected an address within ${formatIp(afterNetwork)}..${formatIp(highest)}`);
    }
  }
  if (compareIp(first, last) > 0) {
    return err(`rangeStart ${formatIp(first)}: expected an address not after rangeEnd ${formatIp(last)}`);
  }
  if (ipFamily(gateway) !== family) {
    return err(`gateway ${formatIp(gateway)}: expected an IPv${family} address, as of subnet ${formatCidr(subnet)}`);
  }
  return ok({ subnet, first, last, gateway });
}

/** Whether the range gives this address out. */
export function isAssignable(range: AddressRange, ip: Ip): boolean {
  return isWithin(range, ip) && ip !== range.gateway;
}

/** Whether the address lies in first..last, gateway or not. */
export function isWithin(range: AddressRange, ip: Ip): boolean {
  return ipFamily(ip) === ipFamily(range.first) && compareIp(ip, range.first) >= 0 && compareIp(ip, range.last) <= 0;
}
