/** One direction of a flow: addresses, protocol and what tells flows between the same addresses apart. */
import { type Ip, isIpv4 } from 'net-types';
import { attribute, type AttributesOf, attributeTable, nested } from '../wire/attribute-table.ts';
import { be16, ipv4, ipv6, u8 } from '../wire/scalars.ts';

/** enum ctattr_ip. */
export const tupleIpTable = attributeTable({
  v4Source: attribute(1, ipv4),
  v4Destination: attribute(2, ipv4),
  v6Source: attribute(3, ipv6),
  v6Destination: attribute(4, ipv6),
});

/** enum ctattr_l4proto: ports of TCP, UDP, SCTP and their like; identifier, type and code of ICMP echo and its like. */
export const tupleProtocolTable = attributeTable({
  /** IP protocol number. */
  number: attribute(1, u8),
  sourcePort: attribute(2, be16),
  destinationPort: attribute(3, be16),
  icmpId: attribute(4, be16),
  icmpType: attribute(5, u8),
  icmpCode: attribute(6, u8),
  icmpv6Id: attribute(7, be16),
  icmpv6Type: attribute(8, u8),
  icmpv6Code: attribute(9, u8),
});

/** enum ctattr_tuple. */
export const tupleTable = attributeTable({
  ip: attribute(1, nested(tupleIpTable)),
  protocol: attribute(2, nested(tupleProtocolTable)),
  /** Zone of this direction alone; one of both directions is the entry's. */
  zone: attribute(3, be16),
});

export type ConntrackTuple = AttributesOf<typeof tupleTable>;
export type TupleProtocol = AttributesOf<typeof tupleProtocolTable>;

/** The tuple of packets from `source` to `destination`, which are of one family. */
export function conntrackTuple(source: Ip, destination: Ip, protocol: TupleProtocol): ConntrackTuple {
  if (isIpv4(source) && isIpv4(destination)) return { ip: { v4Source: source, v4Destination: destination }, protocol };
  if (isIpv4(source) || isIpv4(destination)) throw new TypeError('a tuple has addresses of one family');
  return { ip: { v6Source: source, v6Destination: destination }, protocol };
}

export function tupleSource({ ip }: ConntrackTuple): Ip | undefined {
  return ip?.v4Source ?? ip?.v6Source;
}

export function tupleDestination({ ip }: ConntrackTuple): Ip | undefined {
  return ip?.v4Destination ?? ip?.v6Destination;
}
