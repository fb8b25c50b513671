/**
 * ICMP and ICMPv6 echo messages as bytes (RFC 792, RFC 4443 §4):
 *
 *     0      1      2          4            6          8
 *     | type | code | checksum | identifier | sequence | payload ...
 */
import type { IpFamily } from 'net-types';

const HEADER_BYTES = 8;
const IPV6_HEADER_BYTES = 40;

interface Types {
  readonly request: number;
  readonly reply: number;
  /** Messages that quote the packet they complain about. */
  readonly errors: Readonly<Record<number, string>>;
}

const TYPES: Readonly<Record<IpFamily, Types>> = {
  4: { request: 8, reply: 0, errors: { 3: 'unreachable', 11: 'time exceeded' } },
  6: { request: 128, reply: 129, errors: { 1: 'unreachable', 2: 'packet too big', 3: 'time exceeded' } },
};

/** What arrived for the request with this identifier and sequence. */
export type EchoAnswer = { readonly type: 'reply' } | { readonly type: 'error'; readonly reason: string };

export function encodeEchoRequest(
  family: IpFamily,
  identifier: number,
  sequence: number,
  payloadBytes: number,
): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + payloadBytes);
  const view = new DataView(message.buffer);
  view.setUint8(0, TYPES[family].request);
  view.setUint16(4, identifier, false);
  view.setUint16(6, sequence, false);
  for (let at = HEADER_BYTES; at < message.length; at++) message[at] = at & 0xff;
  // The kernel sums ICMPv6 itself: its checksum covers addresses that are not known here.
  if (family === 4) view.setUint16(2, internetChecksum(message), false);
  return message;
}

/**
 * Judges a datagram of a raw socket: IPv4 ones begin with the IP header, IPv6 ones with the ICMPv6 header. Undefined for
 * everything that is not about our request, short or broken datagrams included.
 */
export function judgeEchoDatagram(
  family: IpFamily,
  datagram: Uint8Array,
  identifier: number,
  sequence: number,
): EchoAnswer | undefined {
  const icmp = family === 4 ? withoutIpv4Header(datagram) : datagram;
  if (icmp === undefined || icmp.length < HEADER_BYTES) return undefined;
  const types = TYPES[family];
  const [type = 0, code = 0] = icmp;
  if (type === types.reply) return isEcho(icmp, identifier, sequence) ? { type: 'reply' } : undefined;
  const problem = types.errors[type];
  if (problem === undefined) return undefined;
  const packet = icmp.subarray(HEADER_BYTES);
  const quoted = family === 4 ? withoutIpv4Header(packet) : packet.subarray(IPV6_HEADER_BYTES);
  if (quoted === undefined || quoted.length < HEADER_BYTES || quoted[0] !== types.request) return undefined;
  return isEcho(quoted, identifier, sequence) ? { type: 'error', reason: `${problem} (code ${code})` } : undefined;
}

function isEcho(icmp: Uint8Array, identifier: number, sequence: number): boolean {
  const view = new DataView(icmp.buffer, icmp.byteOffset, icmp.byteLength);
  return view.getUint16(4, false) === identifier && view.getUint16(6, false) === sequence;
}

function withoutIpv4Header(packet: Uint8Array): Uint8Array | undefined {
  const headerBytes = ((packet[0] ?? 0) & 0x0f) * 4;
  return headerBytes < 20 || packet.length < headerBytes ? undefined : packet.subarray(headerBytes);
}

/** RFC 1071: one's complement of the one's complement sum of 16-bit words. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
