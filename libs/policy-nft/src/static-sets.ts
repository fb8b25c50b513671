/** Sets and maps that are always there. Their elements come from endpoints (endpoint-elements.ts) and from the guard. */
import type { PolicyGuard } from '@canal/kernel-port';
import { type NftElement, portBytes } from 'netlink-ts';
import { ipFamily, ipToBytes } from 'net-types';
import { DIRECTIONS, isolatedSet } from './chain-names.ts';
import { FAMILIES } from './rule-set.ts';
import type { SetDefinition } from './table-image.ts';

const ADDRESS = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

/** Neighbour discovery and multicast listeners: RFC 4861, 2710, 3810. */
const ND_TYPES = [130, 131, 132, 133, 134, 135, 136, 137, 143];
/** IPv4, IPv6 and GRE within IP. */
const ENCAPSULATIONS = [4, 41, 47];

export const INET_SETS: readonly SetDefinition[] = [
  { name: 'nd-types', key: 'icmpv6_type' },
  { name: 'encapsulations', key: 'inet_proto' },
  { name: 'tunnel-ports', key: 'inet_service' },
  /** Interfaces of known pods. */
  { name: 'pods', key: 'ifname' },
  ...FAMILIES.flatMap((family): SetDefinition[] => [
    { name: `nodes${family}`, key: ADDRESS[family] },
    /** Addresses of this node's pods. */
    { name: `local${family}`, key: ADDRESS[family] },
    /** Which interface may send from which address. */
    { name: `owners${family}`, key: ['ifname', ADDRESS[family]] },
    /** A pod to itself. */
    { name: `self${family}`, key: [ADDRESS[family], ADDRESS[family]] },
    ...DIRECTIONS.flatMap((direction): SetDefinition[] => [
      { name: isolatedSet(direction, family), key: ADDRESS[family] },
      /** Chain of each of these. */
      { name: `${direction}${family}`, key: ADDRESS[family], data: 'verdict' },
    ]),
  ]),
];

/** Elements of sets that no endpoint has a part in. */
export function guardElements({ nodeAddresses, tunnelPorts }: PolicyGuard): ReadonlyMap<string, readonly NftElement[]> {
  const nodes = Map.groupBy(nodeAddresses, ipFamily);
  return new Map([
    ['nd-types', ND_TYPES.map((type) => ({ key: Uint8Array.of(type) }))],
    ['encapsulations', ENCAPSULATIONS.map((protocol) => ({ key: Uint8Array.of(protocol) }))],
    ['tunnel-ports', tunnelPorts.map((port) => ({ key: portBytes(port) }))],
    ...FAMILIES.map(
      (family) => [`nodes${family}`, (nodes.get(family) ?? []).map((ip) => ({ key: ipToBytes(ip) }))] as const,
    ),
  ]);
}
