/**
 * What a packet's first bytes say of whom it is from and for: IPv4 (RFC 791), IPv6 (RFC 8200), ARP (RFC 826), and the
 * ports of TCP, UDP and SCTP or type and code of ICMP behind them. The bytes are what a pod sent, and may be cut: what
 * is not there is not told, and nothing throws.
 */
import type { Ip, Ipv4, Ipv6 } from 'net-types';

export interface PacketHeader {
  readonly source: Ip;
  readonly destination: Ip;
  /** IP protocol number; of IPv6, that of the last header that could be read. Of ARP: 0. */
  readonly protocol: number;
  /** Of TCP, UDP and SCTP, unless it is a fragment other than the first. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Of ICMP and ICMPv6. */
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const ICMP = 1;
const ICMPV6 = 58;

/** Undefined for bytes that hold no whole address pair. Without an EtherType the version in the first byte decides. */
export function parsePacketHeader(packet: Uint8Array, etherType?: number): PacketHeader | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (etherType === ETHERTYPE.ARP) return parseArp(view);
  const version = view.byteLength === 0 ? 0 : view.getUint8(0) >>> 4;
  if (version === 4 && (etherType === undefined || etherType === ETHERTYPE.IPV4)) return parseIpv4(view);
  if (version === 6 && (etherType === undefined || etherType === ETHERTYPE.IPV6)) return parseIpv6(view);
  return undefined;
}

function parseIpv4(view: DataView): PacketHeader | undefined {
  if (view.byteLength < 20) return undefined;
  const headerBytes = (view.getUint8(0) & 0x0f) * 4;
  const addresses = { source: view.getUint32(12) as Ipv4, destination: view.getUint32(16) as Ipv4 };
  const protocol = view.getUint8(9);
  const isFirstFragment = (view.getUint16(6) & 0x1fff) === 0;
  if (!isFirstFragment || headerBytes < 20) return { ...addresses, protocol };
  return { ...addresses, protocol, ...parseTransport(view, headerBytes, protocol) };
}

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

function parseIpv6(view: DataView): PacketHeader | undefined {
  if (view.byteLength < 40) return undefined;
  const addresses = { source: readIpv6(view, 8), destination: readIpv6(view, 24) };
  let protocol = view.getUint8(6);
  // Each turn goes at least eight bytes on.
  for (let at = 40; ;) {
    const length = extensionBytes(view, at, protocol);
    if (length === 0) return { ...addresses, protocol, ...parseTransport(view, at, protocol) };
    if (length === undefined) return { ...addresses, protocol };
    const isLaterFragment = protocol === FRAGMENT && (view.getUint16(at + 2) & 0xfff8) !== 0;
    protocol = view.getUint8(at);
    if (isLaterFragment) return { ...addresses, protocol };
    at += length;
  }
}

/** Size of an extension header; 0 when it is none; undefined when its first eight bytes are not there. */
function extensionBytes(view: DataView, at: number, protocol: number): number | undefined {
  switch (protocol) {
    case HOP_BY_HOP:
    case ROUTING:
    case DESTINATION_OPTIONS:
      return at + 8 <= view.byteLength ? (view.getUint8(at + 1) + 1) * 8 : undefined;
    case FRAGMENT:
      return at + 8 <= view.byteLength ? 8 : undefined;
    case AUTHENTICATION:
      return at + 8 <= view.byteLength ? (view.getUint8(at + 1) + 2) * 4 : undefined;
    default:
      return 0;
  }
}

function parseTransport(view: DataView, at: number, protocol: number): Partial<PacketHeader> {
  switch (protocol) {
    case TCP:
    case UDP:
    case SCTP:
      if (at + 4 > view.byteLength) return {};
      return { sourcePort: view.getUint16(at), destinationPort: view.getUint16(at + 2) };
    case ICMP:
    case ICMPV6:
      if (at + 2 > view.byteLength) return {};
      return { icmpType: view.getUint8(at), icmpCode: view.getUint8(at + 1) };
    default:
      return {};
  }
}

/** Of Ethernet and IPv4: sender's and target's protocol address. */
function parseArp(view: DataView): PacketHeader | undefined {
  if (view.byteLength < 28 || view.getUint16(2) !== ETHERTYPE.IPV4) return undefined;
  if (view.getUint8(4) !== 6 || view.getUint8(5) !== 4) return undefined;
  return { source: view.getUint32(14) as Ipv4, destination: view.getUint32(24) as Ipv4, protocol: 0 };
}

function readIpv6(view: DataView, at: number): Ipv6 {
  return ((view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8)) as Ipv6;
}
