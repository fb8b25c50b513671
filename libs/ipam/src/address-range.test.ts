import fc from 'fast-check';
import { cidrContains, cidrLast, cidrOf, formatIp, IPV4_MAX, type Ipv4, parseCidr, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { createRange, isAssignable, type RangeSpec } from './address-range.ts';

const ip = (text: string) => unwrap(parseIp(text));

function range(subnet: string, rest: Partial<Record<'rangeStart' | 'rangeEnd' | 'gateway', string>> = {}) {
  const spec: RangeSpec = {
    subnet: unwrap(parseCidr(subnet)),
    ...(rest.rangeStart !== undefined && { rangeStart: ip(rest.rangeStart) }),
    ...(rest.rangeEnd !== undefined && { rangeEnd: ip(rest.rangeEnd) }),
    ...(rest.gateway !== undefined && { gateway: ip(rest.gateway) }),
  };
  const result = createRange(spec);
  if (!result.ok) return result.error;
  return [result.value.first, result.value.last, result.value.gateway].map(formatIp).join(' ');
}

test.each([
  ['10.244.1.0/24', {}, '10.244.1.1 10.244.1.254 10.244.1.1'],
  ['10.244.1.0/30', {}, '10.244.1.1 10.244.1.2 10.244.1.1'],
  ['fd00:1::/64', {}, 'fd00:1::1 fd00:1::ffff:ffff:ffff:ffff fd00:1::1'],
  ['fd00:1::/126', {}, 'fd00:1::1 fd00:1::3 fd00:1::1'],
  [
    '10.0.0.0/24',
    { rangeStart: '10.0.0.10', rangeEnd: '10.0.0.20', gateway: '10.0.0.15' },
    '10.0.0.10 10.0.0.20 10.0.0.15',
  ],
  ['0.0.0.0/0', {}, '0.0.0.1 255.255.255.254 0.0.0.1'],
])('%s %j gives first, last, gateway %s', (subnet, rest, expected) => {
  expect(range(subnet, rest)).toBe(expected);
});

test.each([
  ['10.0.0.0/31', {}, 'subnet 10.0.0.0/31: too small, expected at most /30'],
  ['10.0.0.5/32', {}, 'too small'],
  ['fd00::/127', {}, 'subnet fd00::/127: too small, expected at most /126'],
  ['10.0.0.0/24', { rangeStart: '10.0.1.5' }, 'rangeStart 10.0.1.5: expected an address within'],
  ['10.0.0.0/24', { rangeStart: '10.0.0.0' }, 'rangeStart 10.0.0.0'],
  ['10.0.0.0/24', { rangeEnd: '10.0.0.255' }, 'rangeEnd 10.0.0.255'],
  ['10.0.0.0/24', { rangeStart: 'fd00::1' }, 'rangeStart fd00::1'],
  [
    '10.0.0.0/24',
    { rangeStart: '10.0.0.9', rangeEnd: '10.0.0.8' },
    'rangeStart 10.0.0.9: expected an address not after',
  ],
  ['10.0.0.0/24', { gateway: 'fd00::1' }, 'gateway fd00::1: expected an IPv4 address'],
])('%s %j is refused: %s', (subnet, rest, expected) => {
  expect(range(subnet, rest)).toContain(expected);
});

test('no range ever gives out network, broadcast or gateway address, nor one outside of its subnet', () => {
  fc.assert(
    fc.property(fc.nat(IPV4_MAX), fc.integer({ min: 8, max: 30 }), fc.nat(IPV4_MAX), (base, prefixLen, probe) => {
      const subnet = cidrOf(base as Ipv4, prefixLen);
      const result = createRange({ subnet });
      if (!result.ok) throw new Error(result.error);
      const last = cidrLast(subnet);
      for (const never of [subnet.ip, last, result.value.gateway])
        expect(isAssignable(result.value, never)).toBe(false);
      if (isAssignable(result.value, probe as Ipv4)) expect(cidrContains(subnet, probe as Ipv4)).toBe(true);
    }),
  );
});
