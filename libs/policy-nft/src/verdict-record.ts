import type { VerdictReason, VerdictRecord } from '@canal/kernel-port';
import { ipFamily } from 'net-types';
import { type NflogPacket, parsePacketHeader } from 'netlink-ts';
import { NFLOG_PREFIX } from './nflog-group.ts';

/** All of VerdictReason: a new one must be named here. */
const REASONS: Readonly<Record<VerdictReason, true>> = {
  'ingress-denied': true,
  'egress-denied': true,
  allowed: true,
  cut: true,
  spoofed: true,
  'unknown-endpoint': true,
  tunnel: true,
  invalid: true,
};

/** What the record says beside the packet's own bytes. */
export interface VerdictContext {
  /** For packets without a timestamp. */
  readonly nowMs: number;
  readonly lost: number;
  readonly nameOf: (index: number) => string | undefined;
}

/** Undefined for a packet that no rule of ours told of, and for bytes without addresses. */
export function verdictRecord(packet: NflogPacket, { nowMs, lost, nameOf }: VerdictContext): VerdictRecord | undefined {
  const reason = reasonOf(packet.prefix);
  const header = packet.payload && parsePacketHeader(packet.payload, packet.header?.etherType);
  if (reason === undefined || header === undefined) return undefined;
  const { source, destination, protocol, sourcePort, destinationPort } = header;
  const inInterface = interfaceName(packet.physicalInIndex ?? packet.inIndex, nameOf);
  const outInterface = interfaceName(packet.physicalOutIndex ?? packet.outIndex, nameOf);
  return {
    reason,
    timeMs: timeOf(packet) ?? nowMs,
    family: ipFamily(source),
    source,
    destination,
    protocol,
    ...(sourcePort !== undefined && { sourcePort }),
    ...(destinationPort !== undefined && { destinationPort }),
    ...(inInterface !== undefined && { inInterface }),
    ...(outInterface !== undefined && { outInterface }),
    lost,
  };
}

function reasonOf(prefix: string | undefined): VerdictReason | undefined {
  if (prefix?.startsWith(NFLOG_PREFIX) !== true) return undefined;
  const reason = prefix.slice(NFLOG_PREFIX.length);
  return Object.hasOwn(REASONS, reason) ? (reason as VerdictReason) : undefined;
}

function timeOf({ timestamp }: NflogPacket): number | undefined {
  if (timestamp === undefined || timestamp.seconds === 0n) return undefined;
  return Number(timestamp.seconds) * 1000 + Math.floor(Number(timestamp.microseconds) / 1000);
}

function interfaceName(index: number | undefined, nameOf: VerdictContext['nameOf']): string | undefined {
  return index === undefined ? undefined : nameOf(index);
}
