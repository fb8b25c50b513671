import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isUnicastMac,
  macFromBytes,
  macToBytes,
  parseInterfaceName,
  parseMac,
  parsePort,
  parseVni,
  unwrap,
} from './index.ts';

test('a MAC address is lower case once read, and survives bytes', () => {
  expect(unwrap(parseMac('0A:58:0a:F4:01:05'))).toBe('0a:58:0a:f4:01:05');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
      const mac = macFromBytes(bytes);
      return mac !== undefined && unwrap(parseMac(mac)) === mac && macToBytes(mac).every((b, i) => b === bytes[i]);
    }),
  );
});

test.each([
  '0a-58-0a-f4-01-05',
  '0a:58:0a:f4:01',
  '0a:58:0a:f4:01:05:06',
  '0a:58:0a:f4:01:0g',
  'a:58:0a:f4:01:05',
  ' 0a:58:0a:f4:01:05',
  '',
])('MAC %j is refused', (text) => {
  expect(parseMac(text).ok).toBe(false);
});

test.each([
  ['0a:58:0a:f4:01:05', true],
  ['01:00:5e:00:00:01', false],
  ['ff:ff:ff:ff:ff:ff', false],
  ['00:00:00:00:00:00', false],
])('%s unicast: %s', (text, expected) => {
  expect(isUnicastMac(unwrap(parseMac(text)))).toBe(expected);
});

test.each(['eth0', 'flannel.1', 'flannel-v6.1', 'cnl0123456789a', 'a'])('interface name %s is taken', (name) => {
  expect(parseInterfaceName(name)).toEqual({ ok: true, value: name });
});

test.each(['', '.', '..', 'a/b', 'a:b', 'a b', 'a\tb', '0123456789abcdef', 'ethé', 'a\u0000', 'a\u001b[1m'])(
  'interface name %j is refused',
  (name) => {
    expect(parseInterfaceName(name).ok).toBe(false);
  },
);

test.each([
  ['1', true],
  ['65535', true],
  ['0', false],
  ['65536', false],
  ['080', false],
  ['-1', false],
  ['1.0', false],
  ['1e3', false],
  [' 1', false],
])('port %j taken: %s', (text, taken) => {
  expect(parsePort(text).ok).toBe(taken);
});

test.each([
  ['0', true],
  ['16777215', true],
  ['16777216', false],
])('VNI %s taken: %s', (text, taken) => {
  expect(parseVni(text).ok).toBe(taken);
});
