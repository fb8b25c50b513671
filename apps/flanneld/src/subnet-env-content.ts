/** subnet.env for the CNI plugin, from the lease, and whether a file that is there may be believed. */
import type { SubnetEnv, SubnetEnvFamily } from '@canal/node-state';
import { cidrEquals, cidrOf, formatCidr, ipAdd } from 'net-types';
import type { LeasedSubnet } from './lease.ts';

export interface SubnetEnvOptions {
  readonly mtuBytes: number;
  readonly ipMasq: boolean;
  readonly bootId: string;
}

export function subnetEnvOf(leases: readonly LeasedSubnet[], options: SubnetEnvOptions): SubnetEnv {
  const ipv4 = leases.find(({ family }) => family === 4);
  const ipv6 = leases.find(({ family }) => family === 6);
  return { ...(ipv4 && { ipv4: familyOf(ipv4) }), ...(ipv6 && { ipv6: familyOf(ipv6) }), ...options };
}

/** The subnet goes by its first usable address, which the bridge has in bridge mode. */
function familyOf({ subnet, network }: LeasedSubnet): SubnetEnvFamily {
  const first = ipAdd(subnet.ip, 1);
  // Only the last address of all has none above, and no subnet begins there.
  if (first === undefined) throw new RangeError(`${formatCidr(subnet)} has no usable address`);
  return { networks: [network], subnet: { ip: first, prefixLen: subnet.prefixLen } };
}

/**
 * A file that gives away addresses which are not this node's: pods of another node have them, for as long as both live.
 * (A node that re-joined gets another subnet, and finds the file of its former life.)
 */
export function contradicts(file: SubnetEnv, leases: readonly LeasedSubnet[]): boolean {
  return [file.ipv4, file.ipv6].some((family) => {
    if (family === undefined) return false;
    const claimed = cidrOf(family.subnet.ip, family.subnet.prefixLen);
    return !leases.some(({ subnet }) => cidrEquals(subnet, claimed));
  });
}
