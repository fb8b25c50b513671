/** The node's subnet as the plugin uses it: ranges to give out, gateways, cluster networks. */
import { createRange, type RangeSet } from '@canal/ipam';
import type { SubnetEnv } from '@canal/node-state';
import { type Cidr, cidrOf, formatInterfaceAddress, type InterfaceAddress, ipAdd } from 'net-types';
import { PluginError } from './plugin-error.ts';

export interface NodeSubnet {
  /** One range set a family, IPv4 first, as flannel's plugin orders them. */
  readonly rangeSets: readonly RangeSet[];
  /** The bridge's address of each range set: first address of the subnet, with the subnet's length. */
  readonly gateways: readonly InterfaceAddress[];
  readonly clusterNetworks: readonly Cidr[];
}

/** `code` (11 for ADD, 50 for STATUS) for a subnet without room: the file is the node agent's to cure. */
export function nodeSubnetOf(env: SubnetEnv, code: number): NodeSubnet {
  const families = [env.ipv4, env.ipv6].filter((family) => family !== undefined);
  const parts = families.map(({ subnet }) => rangeOf(subnet, code));
  return {
    rangeSets: parts.map(({ rangeSet }) => rangeSet),
    gateways: parts.map(({ gateway }) => gateway),
    clusterNetworks: families.flatMap(({ networks }) => networks),
  };
}

/** flanneld writes the first address (10.244.1.1/24); a network address (10.244.1.0/24) means the same subnet. */
function rangeOf(subnet: InterfaceAddress, code: number): { rangeSet: RangeSet; gateway: InterfaceAddress } {
  const block = cidrOf(subnet.ip, subnet.prefixLen);
  const first = block.ip === subnet.ip ? ipAdd(block.ip, 1) : subnet.ip;
  const range = createRange({ subnet: block, ...(first !== undefined && { gateway: first }) });
  if (!range.ok) {
    const message = `the node's subnet ${formatInterfaceAddress(subnet)} cannot be used`;
    throw new PluginError(code, message, { details: range.error });
  }
  const { gateway } = range.value;
  return { rangeSet: [range.value], gateway: { ip: gateway, prefixLen: subnet.prefixLen } };
}
