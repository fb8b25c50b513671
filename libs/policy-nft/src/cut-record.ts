/**
 * What was cut is told where it comes in, before NAT has changed its addresses. Here it gets those that the rules would
 * have seen: between the client itself and what DNAT made of its destination.
 */
import type { VerdictRecord } from '@canal/kernel-port';
import { type Conntrack, conntrackTuple, type ConntrackTuple, tupleDestination, tupleSource } from 'netlink-ts';

/** `find`: the flow that packets of this tuple belong to, of either direction. */
export function withTrueEnds(
  record: VerdictRecord,
  find: (tuple: ConntrackTuple) => Conntrack | undefined,
): VerdictRecord {
  const { source, destination, sourcePort, destinationPort, protocol } = record;
  // Without ports there is no tuple to look for. NAT of such flows shows in the addresses alone, and is rare.
  if (sourcePort === undefined || destinationPort === undefined) return record;
  const entry = find(conntrackTuple(source, destination, { number: protocol, sourcePort, destinationPort }));
  if (entry?.original === undefined || entry.reply === undefined) return record;
  const { original, reply } = entry;
  const isOriginal =
    tupleSource(original) === source &&
    tupleDestination(original) === destination &&
    original.protocol?.sourcePort === sourcePort;
  const other = isOriginal ? reply : original;
  const ip = tupleSource(other);
  const port = other.protocol?.sourcePort;
  return ip === undefined || port === undefined ? record : { ...record, destination: ip, destinationPort: port };
}
