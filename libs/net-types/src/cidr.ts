/**
 * CIDR blocks and interface addresses. A Cidr is canonical: its host bits are zero, checked at parse. An
 * InterfaceAddress keeps them: it is an address together with the length of the network it lives in.
 */
import { type Brand } from './brand.ts';
import { compareIp, formatIp, type Ip, ipFamily, type IpFamily, type Ipv4, type Ipv6, isIpv4, parseIp } from './ip.ts';
import { err, ok, type ParseError, type Result } from './result.ts';

interface Block<T extends Ip> {
  readonly ip: T;
  readonly prefixLen: number;
}

export type Cidr4 = Brand<Block<Ipv4>, 'Cidr'>;
export type Cidr6 = Brand<Block<Ipv6>, 'Cidr'>;
export type Cidr = Cidr4 | Cidr6;

export interface InterfaceAddress {
  readonly ip: Ip;
  readonly prefixLen: number;
}

const PREFIX_LEN = /^(?:0|[1-9][0-9]{0,2})$/;

/** Strict: `10.0.0.5/8` is refused, because a block with host bits is more often a mistake than a block. */
export function parseCidr(text: string): Result<Cidr, ParseError> {
  const address = parseInterfaceAddress(text);
  if (!address.ok) return err({ input: text, expected: 'a CIDR block such as 10.244.0.0/16 or fd00:10:244::/56' });
  const block = cidrOf(address.value.ip, address.value.prefixLen);
  if (block.ip !== address.value.ip) {
    return err({ input: text, expected: `a CIDR block without host bits, such as ${formatCidr(block)}` });
  }
  return ok(block);
}

export function parseCidr4(text: string): Result<Cidr4, ParseError> {
  const result = parseCidr(text);
  if (result.ok && isCidr4(result.value)) return ok(result.value);
  return err(result.ok ? { input: text, expected: 'an IPv4 CIDR block such as 10.244.0.0/16' } : result.error);
}

export function parseCidr6(text: string): Result<Cidr6, ParseError> {
  const result = parseCidr(text);
  if (result.ok && isCidr6(result.value)) return ok(result.value);
  return err(result.ok ? { input: text, expected: 'an IPv6 CIDR block such as fd00:10:244::/56' } : result.error);
}

/** An address with a prefix length, host bits kept: `10.244.1.1/24`. */
export function parseInterfaceAddress(text: string): Result<InterfaceAddress, ParseError> {
  const expected = 'an address with prefix length such as 10.244.1.1/24';
  const slash = text.indexOf('/');
  if (slash < 0) return err({ input: text, expected });
  const ip = parseIp(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (!ip.ok || !PREFIX_LEN.test(lengthText)) return err({ input: text, expected });
  const prefixLen = Number(lengthText);
  if (prefixLen > familyBits(ipFamily(ip.value))) return err({ input: text, expected });
  return ok({ ip: ip.value, prefixLen });
}

/** 32 or 128. */
export function familyBits(family: IpFamily): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The block of that length around the address. Throws a RangeError for an impossible length. */
export function cidrOf(ip: Ipv4, prefixLen: number): Cidr4;
export function cidrOf(ip: Ipv6, prefixLen: number): Cidr6;
export function cidrOf(ip: Ip, prefixLen: number): Cidr;
export function cidrOf(ip: Ip, prefixLen: number): Cidr {
  const bits = familyBits(ipFamily(ip));
  if (!Number.isInteger(prefixLen) || prefixLen < 0 || prefixLen > bits) {
    throw new RangeError(`prefix length ${prefixLen} is not within 0..${bits}`);
  }
  if (isIpv4(ip)) return { ip: maskIpv4(ip, prefixLen), prefixLen } as Cidr4;
  const hostBits = BigInt(128 - prefixLen);
  return { ip: ((ip >> hostBits) << hostBits) as Ipv6, prefixLen } as Cidr6;
}

function maskIpv4(ip: Ipv4, prefixLen: number): Ipv4 {
  // A shift by 32 is a shift by 0 in JavaScript, so /0 is its own case.
  return (prefixLen === 0 ? 0 : (ip & (-1 << (32 - prefixLen))) >>> 0) as Ipv4;
}

/** The /32 or /128 of one address. */
export function hostCidr(ip: Ip): Cidr {
  return cidrOf(ip, familyBits(ipFamily(ip)));
}

export function cidrFamily(cidr: Cidr): IpFamily {
  return ipFamily(cidr.ip);
}

export function isCidr4(cidr: Cidr): cidr is Cidr4 {
  return isIpv4(cidr.ip);
}

export function isCidr6(cidr: Cidr): cidr is Cidr6 {
  return !isIpv4(cidr.ip);
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp(cidr.ip)}/${cidr.prefixLen}`;
}

export function formatInterfaceAddress(address: InterfaceAddress): string {
  return `${formatIp(address.ip)}/${address.prefixLen}`;
}

export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  if (isIpv4(cidr.ip)) return isIpv4(ip) && maskIpv4(ip, cidr.prefixLen) === cidr.ip;
  return !isIpv4(ip) && ip >> BigInt(128 - cidr.prefixLen) === cidr.ip >> BigInt(128 - cidr.prefixLen);
}

export function cidrContainsCidr(outer: Cidr, inner: Cidr): boolean {
  return inner.prefixLen >= outer.prefixLen && cidrContains(outer, inner.ip);
}

export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrContainsCidr(a, b) || cidrContainsCidr(b, a);
}

export function cidrEquals(a: Cidr, b: Cidr): boolean {
  return a.ip === b.ip && a.prefixLen === b.prefixLen;
}

/** Number of addresses in the block. */
export function cidrSize(cidr: Cidr): bigint {
  return 1n << BigInt(familyBits(cidrFamily(cidr)) - cidr.prefixLen);
}

/** Highest address of the block (the broadcast address of an IPv4 network). */
export function cidrLast(cidr: Cidr): Ip {
  if (isIpv4(cidr.ip)) return (cidr.ip + (2 ** (32 - cidr.prefixLen) - 1)) as Ipv4;
  return (cidr.ip + cidrSize(cidr) - 1n) as Ipv6;
}

/** Order for sorting: family, address, then shorter prefixes first. */
export function compareCidr(a: Cidr, b: Cidr): number {
  return compareIp(a.ip, b.ip) || a.prefixLen - b.prefixLen;
}
