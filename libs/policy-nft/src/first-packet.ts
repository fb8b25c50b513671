/** What policy asks about an entry of the connection tracker. */
import { PROTOCOL_NUMBER, type RulePacket } from '@canal/rules-ast';
import type { Ip } from 'net-types';
import type { ConntrackScan } from 'netlink-ts';

const WITH_PORTS: ReadonlySet<number> = new Set(Object.values(PROTOCOL_NUMBER));

/**
 * The flow's first packet as the rules saw it, from the client itself to what DNAT made of its destination, if one of the
 * flow's four ends is in `addresses`. Undefined also for an entry of another zone than 0 (those belong to whoever made
 * the zone) and for one without addresses.
 */
export function firstPacketAt(entry: ConntrackScan, addresses: ReadonlySet<Ip>): RulePacket | undefined {
  const { original, reply } = entry;
  if (entry.zone !== 0 || original.zone !== 0 || reply.zone !== 0) return undefined;
  const source = original.source;
  const destination = reply.source;
  if (source === undefined || destination === undefined) return undefined;
  const isAsked =
    addresses.has(source) ||
    addresses.has(destination) ||
    hasAddress(addresses, original.destination) ||
    hasAddress(addresses, reply.destination);
  if (!isAsked) return undefined;
  const protocol = original.protocol ?? 0;
  if (!WITH_PORTS.has(protocol) || reply.sourcePort === undefined) return { source, destination, protocol };
  return { source, destination, protocol, destinationPort: reply.sourcePort };
}

function hasAddress(addresses: ReadonlySet<Ip>, address: Ip | undefined): boolean {
  return address !== undefined && addresses.has(address);
}
