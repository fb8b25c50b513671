/**
 * IP addresses as numbers: an IPv4 address is an unsigned 32-bit number, an IPv6 address a 128-bit bigint. So the
 * family is the JavaScript type, equality is `===`, and both work as Map keys.
 * Text is strict: IPv4 is four decimal parts without leading zeros (RFC 6943 §3.1.1 "strict"), IPv6 is RFC 4291 §2.2
 * without zone, printed as RFC 5952 asks.
 */
import type { Brand } from './brand.ts';
import { err, ok, type ParseError, type Result } from './result.ts';

export type Ipv4 = Brand<number, 'Ipv4'>;
export type Ipv6 = Brand<bigint, 'Ipv6'>;
export type Ip = Ipv4 | Ipv6;
export type IpFamily = 4 | 6;

export const IPV4_MAX = 0xffff_ffff;
export const IPV6_MAX = (1n << 128n) - 1n;

export function ipFamily(ip: Ip): IpFamily {
  return typeof ip === 'number' ? 4 : 6;
}

export function isIpv4(ip: Ip): ip is Ipv4 {
  return typeof ip === 'number';
}

export function isIpv6(ip: Ip): ip is Ipv6 {
  return typeof ip === 'bigint';
}

const IPV4_PART = /^(?:0|[1-9][0-9]{0,2})$/;
const IPV4_EXPECTED = 'an IPv4 address such as 10.244.1.5 (four decimal parts, no leading zeros)';
const IPV6_EXPECTED = 'an IPv6 address such as fd00:10:244::5 (no zone, no brackets)';

export function parseIpv4(text: string): Result<Ipv4, ParseError> {
  const bits = readIpv4(text);
  return bits === undefined ? err({ input: text, expected: IPV4_EXPECTED }) : ok(bits as Ipv4);
}

function readIpv4(text: string): number | undefined {
  if (text.length > 15) return undefined;
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let bits = 0;
  for (const part of parts) {
    if (!IPV4_PART.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    bits = bits * 256 + byte;
  }
  return bits;
}

export function parseIpv6(text: string): Result<Ipv6, ParseError> {
  const groups = readIpv6Groups(text);
  if (groups === undefined) return err({ input: text, expected: IPV6_EXPECTED });
  let bits = 0n;
  for (const group of groups) bits = (bits << 16n) | BigInt(group);
  return ok(bits as Ipv6);
}

const IPV6_GROUP = /^[0-9a-fA-F]{1,4}$/;

/** The eight 16-bit groups of the text, or undefined. */
function readIpv6Groups(text: string): number[] | undefined {
  if (text.length < 2 || text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = readGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? readGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1) return missing === 0 ? head : undefined;
  // "::" stands for at least one group (RFC 5952 §4.2.2 forbids printing it for one, RFC 4291 allows reading it).
  if (missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function readGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (IPV6_GROUP.test(part)) {
      groups.push(parseInt(part, 16));
    } else if (mayEndInIpv4 && index === parts.length - 1 && part.includes('.')) {
      const ipv4 = readIpv4(part);
      if (ipv4 === undefined) return undefined;
      groups.push(ipv4 >>> 16, ipv4 & 0xffff);
    } else {
      return undefined;
    }
  }
  return groups;
}

/** Either family, told apart by the presence of a colon. */
export function parseIp(text: string): Result<Ip, ParseError> {
  if (text.includes(':')) return parseIpv6(text);
  const result = parseIpv4(text);
  return result.ok ? result : err({ input: text, expected: 'an IPv4 or IPv6 address' });
}

export function formatIpv4(ip: Ipv4): string {
  return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;
}

/** RFC 5952: lower case, longest run of two or more zero groups as "::" (the first of equals), mapped IPv4 dotted. */
export function formatIpv6(ip: Ipv6): string {
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((ip >> shift) & 0xffffn));
  if (ip >> 32n === 0xffffn) return `::ffff:${formatIpv4(Number(ip & 0xffff_ffffn) as Ipv4)}`;
  const run = longestZeroRun(groups);
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (run.length < 2) return hex(0, 8);
  return `${hex(0, run.start)}::${hex(run.start + run.length, 8)}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}

export function formatIp(ip: Ip): string {
  return isIpv4(ip) ? formatIpv4(ip) : formatIpv6(ip);
}

/** 4 or 16 bytes in network order. */
export function ipToBytes(ip: Ip): Uint8Array {
  if (isIpv4(ip)) return Uint8Array.of(ip >>> 24, (ip >>> 16) & 255, (ip >>> 8) & 255, ip & 255);
  const bytes = new Uint8Array(16);
  let rest: bigint = ip;
  for (let index = 15; index >= 0; index--) {
    bytes[index] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** The address in 4 or 16 bytes of network order; undefined for any other length. */
export function ipFromBytes(bytes: Uint8Array): Ip | undefined {
  if (bytes.length === 4) {
    let bits = 0;
    for (const byte of bytes) bits = bits * 256 + byte;
    return bits as Ipv4;
  }
  if (bytes.length === 16) {
    let bits = 0n;
    for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
    return bits as Ipv6;
  }
  return undefined;
}

/** The address `offset` above `ip`; undefined beyond the ends of the family. */
export function ipAdd(ip: Ip, offset: number | bigint): Ip | undefined {
  if (isIpv4(ip)) {
    // A sum of doubles is exact here up to 2^53; what is beyond is out of the family anyway.
    const sum = ip + Number(offset);
    return sum < 0 || sum > IPV4_MAX ? undefined : (sum as Ipv4);
  }
  const sum = ip + BigInt(offset);
  return sum < 0n || sum > IPV6_MAX ? undefined : (sum as Ipv6);
}

/** Order for sorting: IPv4 before IPv6, then by value. */
export function compareIp(a: Ip, b: Ip): number {
  if (typeof a !== typeof b) return isIpv4(a) ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
