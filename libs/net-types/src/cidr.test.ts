import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Cidr,
  cidrContains,
  cidrContainsCidr,
  cidrLast,
  cidrOf,
  cidrSize,
  cidrsOverlap,
  compareCidr,
  describeParseError,
  formatCidr,
  formatInterfaceAddress,
  type Ip,
  type Ipv4,
  type Ipv6,
  parseCidr,
  parseCidr4,
  parseCidr6,
  parseInterfaceAddress,
  parseIp,
  unwrap,
} from './index.ts';

const cidr4 = fc
  .tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 32 }))
  .map(([bits, prefixLen]): Cidr => cidrOf(bits as Ipv4, prefixLen));
const cidr6 = fc
  .tuple(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.integer({ min: 0, max: 128 }))
  .map(([bits, prefixLen]): Cidr => cidrOf(bits as Ipv6, prefixLen));
const cidr = fc.oneof(cidr4, cidr6);

test.each(['10.244.0.0/16', '0.0.0.0/0', '10.0.0.1/32', '::/0', 'fd00:10:244::/56', '::1/128'])(
  '%s is read',
  (text) => {
    expect(formatCidr(unwrap(parseCidr(text)))).toBe(text);
  },
);

test.each([
  ['host bits', '10.0.0.5/8'],
  ['IPv6 host bits', 'fd00::1/64'],
  ['no prefix length', '10.0.0.0'],
  ['empty prefix length', '10.0.0.0/'],
  ['leading zero in the length', '10.0.0.0/08'],
  ['length above 32', '10.0.0.0/33'],
  ['length above 128', '::/129'],
  ['netmask', '10.0.0.0/255.0.0.0'],
  ['short form', '10/8'],
  ['two slashes', '10.0.0.0/8/8'],
  ['trailing blank', '10.0.0.0/8 '],
  ['sign', '10.0.0.0/+8'],
])('a CIDR with %s is refused', (_, text) => {
  expect(parseCidr(text).ok).toBe(false);
});

test('a block with host bits is told with the block that was probably meant', () => {
  const result = parseCidr('10.0.0.5/8');
  expect(result.ok ? '' : describeParseError(result.error)).toBe(
    '"10.0.0.5/8": expected a CIDR block without host bits, such as 10.0.0.0/8',
  );
});

test('the family parsers refuse the other family', () => {
  expect(parseCidr4('::/0').ok).toBe(false);
  expect(parseCidr6('10.0.0.0/8').ok).toBe(false);
});

test('an interface address keeps its host bits', () => {
  expect(formatInterfaceAddress(unwrap(parseInterfaceAddress('10.244.1.1/24')))).toBe('10.244.1.1/24');
});

/** Membership by comparing the printed bits: no shared code with the implementation. */
function bits(ip: Ip): string {
  return typeof ip === 'number' ? ip.toString(2).padStart(32, '0') : ip.toString(2).padStart(128, '0');
}
function naiveContains(block: Cidr, ip: Ip): boolean {
  return (
    typeof block.ip === typeof ip && bits(ip).slice(0, block.prefixLen) === bits(block.ip).slice(0, block.prefixLen)
  );
}

test('containment agrees with a comparison of the leading bits', () => {
  fc.assert(fc.property(cidr, cidr, (a, b) => cidrContains(a, b.ip) === naiveContains(a, b.ip)));
  fc.assert(fc.property(cidr, (a) => cidrContains(a, a.ip) && cidrContains(a, cidrLast(a))));
});

test('two blocks overlap exactly when one holds the other', () => {
  fc.assert(
    fc.property(cidr, cidr, (a, b) => cidrsOverlap(a, b) === (naiveContains(a, b.ip) || naiveContains(b, a.ip))),
  );
  const inner = unwrap(parseCidr('10.244.1.0/24'));
  expect(cidrContainsCidr(unwrap(parseCidr('10.244.0.0/16')), inner)).toBe(true);
  expect(cidrContainsCidr(inner, unwrap(parseCidr('10.244.0.0/16')))).toBe(false);
});

test('the last address is size minus one above the first', () => {
  fc.assert(fc.property(cidr, (a) => BigInt(cidrLast(a)) - BigInt(a.ip) + 1n === cidrSize(a)));
});

test('sorting is by family, address, then length', () => {
  const texts = ['10.0.0.0/8', '10.0.0.0/16', '10.1.0.0/16', '::/0', 'fd00::/8'];
  const sorted = texts.map((text) => unwrap(parseCidr(text)));
  expect([...sorted].reverse().sort(compareCidr).map(formatCidr)).toEqual(texts);
});

test('an impossible length is a broken invariant', () => {
  expect(() => cidrOf(unwrap(parseIp('10.0.0.0')), 33)).toThrow(RangeError);
  expect(() => cidrOf(unwrap(parseIp('10.0.0.0')), 1.5)).toThrow(RangeError);
});
