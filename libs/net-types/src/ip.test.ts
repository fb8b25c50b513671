import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareIp,
  formatIp,
  type Ip,
  ipAdd,
  ipFromBytes,
  ipToBytes,
  type Ipv4,
  type Ipv6,
  isIpv4,
  parseIp,
  parseIpv4,
  parseIpv6,
  unwrap,
} from './index.ts';

const ipv4 = fc.integer({ min: 0, max: 0xffff_ffff }).map((bits) => bits as Ipv4);
const ipv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((bits) => bits as Ipv6);
const ip: fc.Arbitrary<Ip> = fc.oneof(ipv4, ipv6);

test.each([
  ['10.244.1.5', 0x0af40105],
  ['0.0.0.0', 0],
  ['255.255.255.255', 0xffff_ffff],
  ['192.0.2.1', 0xc0000201],
])('IPv4 %s is read', (text, bits) => {
  expect(unwrap(parseIpv4(text))).toBe(bits);
});

test.each([
  ['leading zero', '010.0.0.1'],
  ['octal-looking part', '10.0.0.08'],
  ['hexadecimal', '0x0a000001'],
  ['three parts', '10.0.1'],
  ['five parts', '10.0.0.0.1'],
  ['one number', '167772161'],
  ['part above 255', '10.0.0.256'],
  ['trailing blank', '10.0.0.1 '],
  ['leading blank', ' 10.0.0.1'],
  ['trailing newline', '10.0.0.1\n'],
  ['empty', ''],
  ['empty part', '10..0.1'],
  ['sign', '+1.0.0.1'],
  ['other digits', '१.0.0.1'],
  ['prefix length', '10.0.0.1/32'],
])('IPv4 with %s is refused', (_, text) => {
  expect(parseIpv4(text).ok).toBe(false);
});

test.each([
  ['::', '::'],
  ['::1', '::1'],
  ['fd00:10:244::5', 'fd00:10:244::5'],
  ['FD00:0010:0244:0000:0000:0000:0000:0005', 'fd00:10:244::5'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['::ffff:c000:201', '::ffff:192.0.2.1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
])('IPv6 %s is printed %s (RFC 5952)', (text, canonical) => {
  expect(formatIp(unwrap(parseIpv6(text)))).toBe(canonical);
});

test.each([
  ['zone', 'fe80::1%eth0'],
  ['brackets', '[::1]'],
  ['two ellipses', '1::2::3'],
  ['nine groups', '1:2:3:4:5:6:7:8:9'],
  ['seven groups', '1:2:3:4:5:6:7'],
  ['ellipsis for nothing', '1:2:3:4::5:6:7:8'],
  ['long group', '::12345'],
  ['trailing colon', '1:2:3:4:5:6:7:8:'],
  ['leading colon', ':1:2:3:4:5:6:7:8'],
  ['trailing blank', '::1 '],
  ['three colons', ':::'],
  ['IPv4 in the middle', '::1.2.3.4:5'],
  ['short IPv4 tail', '::1.2.3'],
  ['empty', ''],
])('IPv6 with %s is refused', (_, text) => {
  expect(parseIpv6(text).ok).toBe(false);
});

test('what is printed is read back as the same address', () => {
  fc.assert(fc.property(ip, (address) => unwrap(parseIp(formatIp(address))) === address));
});

test('bytes and back give the same address', () => {
  fc.assert(fc.property(ip, (address) => ipFromBytes(ipToBytes(address)) === address));
});

test('accepts exactly what the platform accepts, zones apart', () => {
  const text = fc.stringMatching(/^[0-9a-f:.]{0,24}$/);
  fc.assert(
    fc.property(fc.oneof(text, ip.map(formatIp)), (t) => parseIp(t).ok === (isIPv4(t) || isIPv6(t))),
    {
      numRuns: 2000,
    },
  );
});

test('ipAdd stays inside the family', () => {
  expect(ipAdd(unwrap(parseIp('255.255.255.255')), 1)).toBeUndefined();
  expect(ipAdd(unwrap(parseIp('0.0.0.0')), -1)).toBeUndefined();
  expect(ipAdd(unwrap(parseIp('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')), 1n)).toBeUndefined();
  expect(ipAdd(unwrap(parseIp('10.0.0.255')), 1)).toBe(unwrap(parseIp('10.0.1.0')));
});

test('IPv4 sorts before IPv6, then by value', () => {
  const sorted = ['10.0.0.2', '10.0.0.10', '::1', '::2'].map((text) => unwrap(parseIp(text)));
  expect([...sorted].reverse().sort(compareIp)).toEqual(sorted);
  expect(sorted.map(isIpv4)).toEqual([true, true, false, false]);
});
