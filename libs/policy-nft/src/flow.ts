/** What policy asks about an entry of the connection tracker. */
import { PROTOCOL_NUMBER, type RulePacket } from '@canal/rules-ast';
import type { Ip } from 'net-types';
import { type Conntrack, type ConntrackTuple, tupleDestination, tupleSource } from 'netlink-ts';

export interface Flow {
  /** The first packet as the rules saw it: from the client itself, to what DNAT made of its destination. */
  readonly packet: RulePacket;
  /** As the entry is known to the kernel. */
  readonly original: ConntrackTuple;
  readonly mark: number;
}

const WITH_PORTS: ReadonlySet<number> = new Set(Object.values(PROTOCOL_NUMBER));

/**
 * The flow, if one of its four ends is in `addresses`; undefined also for an entry of another zone than 0 (those belong to
 * whoever made the zone) and for one without addresses.
 */
export function flowAt(entry: Conntrack, addresses: ReadonlySet<Ip>): Flow | undefined {
  const { original, reply, zone } = entry;
  if (original?.ip === undefined || reply?.ip === undefined) return undefined;
  if ((zone ?? original.zone ?? reply.zone ?? 0) !== 0) return undefined;
  const source = tupleSource(original);
  const destination = tupleSource(reply);
  if (source === undefined || destination === undefined) return undefined;
  const isOurs =
    addresses.has(source) ||
    addresses.has(destination) ||
    hasAddress(addresses, tupleDestination(original)) ||
    hasAddress(addresses, tupleDestination(reply));
  if (!isOurs) return undefined;
  const protocol = original.protocol?.number ?? 0;
  const destinationPort = WITH_PORTS.has(protocol) ? reply.protocol?.sourcePort : undefined;
  const packet = { source, destination, protocol, ...(destinationPort !== undefined && { destinationPort }) };
  return { packet, original, mark: entry.mark ?? 0 };
}

function hasAddress(addresses: ReadonlySet<Ip>, address: Ip | undefined): boolean {
  return address !== undefined && addresses.has(address);
}
