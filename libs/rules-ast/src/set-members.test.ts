import fc from 'fast-check';
import { type Cidr, cidrContains, cidrLast, cidrOf, type Ip, type Ipv4, type Ipv6 } from 'net-types';
import { expect, test } from 'vitest';
import type { SetMember } from './rule-set.ts';
import { SetMembers } from './set-members.ts';

/** Few bits, so that blocks hold addresses and each other. */
const ip: fc.Arbitrary<Ip> = fc.oneof(
  fc.nat(31).map((bits) => bits as Ipv4),
  fc.nat(31).map((bits) => BigInt(bits) as Ipv6),
);
const cidr: fc.Arbitrary<Cidr> = fc
  .tuple(ip, fc.nat(6))
  .map(([at, short]) => cidrOf(at, (typeof at === 'number' ? 32 : 128) - short));

test('an address is covered when one of the blocks contains it', () => {
  fc.assert(
    fc.property(fc.array(cidr, { maxLength: 5 }), ip, (blocks, at) => {
      const members = new SetMembers(blocks.map((it) => ({ kind: 'blocks', first: it.ip, last: cidrLast(it) })));
      expect(members.covers(at)).toBe(blocks.some((block) => cidrContains(block, at)));
    }),
    { numRuns: 2000 },
  );
});

test('members that are removed are gone, and others of the same address stay', () => {
  const at = 1 as Ipv4;
  const port = (protocol: 'TCP' | 'UDP', number: number): SetMember => ({
    kind: 'address-ports',
    ip: at,
    protocol,
    port: number,
  });
  const block: SetMember = { kind: 'blocks', first: at, last: 3 as Ipv4 };
  const members = new SetMembers([port('TCP', 80), port('UDP', 80), { kind: 'addresses', ip: at }, block]);
  members.change({ added: [port('TCP', 81)], removed: [port('TCP', 80)] });
  expect([6, 17].map((protocol) => members.hasAddressPort(at, protocol, 80))).toEqual([false, true]);
  expect(members.hasAddressPort(at, 6, 81)).toBe(true);
  members.change({ added: [], removed: [{ kind: 'addresses', ip: at }, block, port('TCP', 81), port('UDP', 80)] });
  expect([members.hasAddress(at), members.covers(at), members.hasAddressPort(at, 17, 80)]).toEqual([
    false,
    false,
    false,
  ]);
});
