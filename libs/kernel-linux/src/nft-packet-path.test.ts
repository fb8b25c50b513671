/** The walk agrees with what a packet of the class would meet: exhaustively on small rules, by table on the rest. */
import fc from 'fast-check';
import { type Cidr, cidrContains, cidrOf, ipAdd, ipToBytes, parseCidr, parseIp, unwrap } from 'net-types';
import {
  CT_STATE,
  CT_STATUS,
  matchAddress,
  matchCtState,
  matchCtStatus,
  matchFamily,
  matchMark,
  NFT_VERDICT,
  type NftExpression,
  type NftRule,
  verdict,
} from 'netlink-ts';
import { describe, expect, test } from 'vitest';
import { equals, type KnownBits, maskXor, unknownBits } from './nft-known-bits.ts';
import { followPacket, judgeRule } from './nft-packet-path.ts';
import { podPacket } from './pod-packets.ts';

const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const NETWORK = cidr('10.244.0.0/16');
const NETWORK6 = cidr('fd00:10:244::/48');
const PACKET = podPacket('pod-to-outside', NETWORK);
const ACCEPT = verdict(NFT_VERDICT.ACCEPT);
const DROP = verdict(NFT_VERDICT.DROP);

const rule = (...expressions: readonly NftExpression[]): NftRule => ({
  family: 2,
  version: 0,
  resourceId: 0,
  expressions,
});
const jumpTo = (chain: string, code: number = NFT_VERDICT.JUMP): NftExpression => ({
  type: 'immediate',
  dreg: 0,
  data: { verdict: { code, chain } },
});
const other = (name: string): NftExpression => ({ type: 'other', name, attributes: [] });

function walk(chains: Readonly<Record<string, readonly NftRule[]>>, policy: 'accept' | 'drop' = 'accept') {
  return followPacket({ name: 'base', policy, rulesOf: (chain) => chains[chain] ?? [] }, PACKET);
}

describe('a condition', () => {
  test.each<{ name: string; expressions: readonly NftExpression[]; matches: string }>([
    { name: 'on a network around the pods', expressions: matchAddress('saddr', cidr('10.0.0.0/8')), matches: 'yes' },
    { name: 'on the pods’ network', expressions: matchAddress('saddr', NETWORK), matches: 'yes' },
    {
      name: 'on a network around, with odd length',
      expressions: matchAddress('saddr', cidr('10.128.0.0/9')),
      matches: 'yes',
    },
    {
      name: 'on a part of the pods’ network',
      expressions: matchAddress('saddr', cidr('10.244.1.0/24')),
      matches: 'perhaps',
    },
    { name: 'on another network', expressions: matchAddress('saddr', cidr('10.245.0.0/16')), matches: 'no' },
    { name: 'on anything but the pods', expressions: matchAddress('saddr', NETWORK, true), matches: 'no' },
    {
      name: 'on anything but another network',
      expressions: matchAddress('saddr', cidr('192.0.2.0/24'), true),
      matches: 'yes',
    },
    {
      name: 'on the destination, of which nothing is known',
      expressions: matchAddress('daddr', NETWORK),
      matches: 'perhaps',
    },
    { name: 'on any destination', expressions: matchAddress('daddr', cidr('0.0.0.0/0')), matches: 'yes' },
    { name: 'on the family', expressions: matchFamily(4), matches: 'yes' },
    { name: 'on the other family', expressions: matchFamily(6), matches: 'no' },
    { name: 'on new flows', expressions: matchCtState(CT_STATE.NEW), matches: 'yes' },
    { name: 'on known flows', expressions: matchCtState(), matches: 'no' },
    { name: 'on translated flows', expressions: matchCtStatus(CT_STATUS.DST_NAT), matches: 'perhaps' },
    { name: 'on a mark', expressions: matchMark(0x4000, 0x4000), matches: 'perhaps' },
    { name: 'of x_tables', expressions: [{ type: 'match', extension: 'mark' }], matches: 'perhaps' },
    { name: 'that is only a comment', expressions: [{ type: 'match', extension: 'comment' }], matches: 'yes' },
    { name: 'on a set', expressions: [{ type: 'lookup', set: 's', sreg: 1 }], matches: 'perhaps' },
    { name: 'that we do not know', expressions: [other('limit')], matches: 'perhaps' },
    { name: 'behind one that fails', expressions: [...matchFamily(6), other('limit')], matches: 'no' },
    { name: 'that is none: a log', expressions: [{ type: 'log' }, { type: 'counter' }], matches: 'yes' },
    { name: 'that is none: a named counter', expressions: [{ type: 'objref', object: 'seen' }], matches: 'yes' },
    {
      name: 'by a shift',
      expressions: [
        { type: 'immediate', dreg: 1, data: { value: Uint8Array.of(1) } },
        { type: 'bitwise', sreg: 1, dreg: 1, length: 1, op: 1 },
        { type: 'cmp', sreg: 1, op: 0, data: { value: Uint8Array.of(2) } },
      ],
      matches: 'perhaps',
    },
    {
      name: 'by words: the register of the third word of the first sixteen bytes',
      expressions: [
        { type: 'payload', dreg: 1, base: 1, offset: 4, length: 16 },
        { type: 'cmp', sreg: 10, op: 0, data: { value: Uint8Array.of(10, 244) } },
      ],
      matches: 'yes',
    },
    {
      name: 'by order',
      expressions: [
        { type: 'payload', dreg: 1, base: 1, offset: 12, length: 4 },
        { type: 'cmp', sreg: 1, op: 4, data: { value: Uint8Array.of(1) } },
      ],
      matches: 'perhaps',
    },
  ])('$name: $matches', ({ expressions, matches }) => {
    expect(judgeRule([...expressions, ACCEPT], PACKET).matches).toBe(matches);
  });

  test('on a Service’s flows holds where they are asked about', () => {
    const packet = podPacket('service-to-pod', NETWORK);
    expect(judgeRule([...matchCtStatus(CT_STATUS.DST_NAT), ACCEPT], packet).matches).toBe('yes');
    expect(judgeRule([...matchAddress('daddr', NETWORK), ACCEPT], packet).matches).toBe('yes');
    expect(judgeRule([...matchAddress('saddr', NETWORK), ACCEPT], packet).matches).toBe('perhaps');
  });

  test('on IPv6 addresses', () => {
    const packet = podPacket('pod-to-pod', NETWORK6);
    const answer = (text: string) =>
      judgeRule([...matchFamily(6), ...matchAddress('daddr', cidr(text)), DROP], packet).matches;
    expect([answer('fd00:10:244::/48'), answer('fd00::/9'), answer('fd00:10:244:1::/64'), answer('fe80::/10')]).toEqual(
      ['yes', 'yes', 'perhaps', 'no'],
    );
  });

  test('on a network is decided as every single address of it would be', () => {
    const block = fc.record({
      base: fc.integer({ min: -600, max: 600 }),
      prefixLen: fc.integer({ min: 20, max: 32 }),
      negated: fc.boolean(),
    });
    const network = cidr('10.244.0.0/24');
    fc.assert(
      fc.property(block, ({ base, prefixLen, negated }) => {
        const rule = cidrOf(ipAdd(network.ip, base) ?? network.ip, prefixLen);
        const single = Array.from(
          { length: 256 },
          (_, index) => cidrContains(rule, ipAdd(network.ip, index) ?? network.ip) !== negated,
        );
        const expected = single.every(Boolean) ? 'yes' : single.some(Boolean) ? 'perhaps' : 'no';
        const answer = judgeRule(
          [...matchAddress('saddr', rule, negated), ACCEPT],
          podPacket('pod-to-outside', network),
        ).matches;
        expect(answer).toBe(expected);
      }),
    );
  });
});

describe('a way through chains', () => {
  test.each<{
    name: string;
    chains: Readonly<Record<string, readonly NftRule[]>>;
    policy?: 'accept' | 'drop';
    end: object;
  }>([
    { name: 'ends with the policy', chains: {}, policy: 'drop', end: { verdict: 'drop', by: 'policy', chain: 'base' } },
    {
      name: 'ends with the first rule that holds',
      chains: { base: [rule(...matchFamily(6), DROP), rule(ACCEPT), rule(DROP)] },
      policy: 'drop',
      end: { verdict: 'accept', by: 'rule' },
    },
    {
      name: 'comes back from a jump',
      chains: { base: [rule(jumpTo('a')), rule(DROP)], a: [rule(verdict(NFT_VERDICT.RETURN)), rule(ACCEPT)] },
      end: { verdict: 'drop', chain: 'base' },
    },
    {
      name: 'does not come back from a goto',
      chains: { base: [rule(jumpTo('a', NFT_VERDICT.GOTO)), rule(DROP)], a: [] },
      end: { verdict: 'accept', by: 'policy' },
    },
    {
      name: 'comes back from a goto within a jump to where that was',
      chains: { base: [rule(jumpTo('a')), rule(DROP)], a: [rule(jumpTo('b', NFT_VERDICT.GOTO)), rule(ACCEPT)], b: [] },
      end: { verdict: 'drop', chain: 'base' },
    },
    {
      name: 'returns from a base chain to its policy',
      chains: { base: [rule(verdict(NFT_VERDICT.RETURN)), rule(DROP)] },
      end: { verdict: 'accept', by: 'policy' },
    },
    {
      name: 'passes over a drop that may not hold',
      chains: { base: [rule(other('limit'), DROP)] },
      end: { verdict: 'accept', undecidedRules: 0 },
    },
    {
      name: 'counts an accept that may not hold',
      chains: { base: [rule(other('limit'), ACCEPT), rule(DROP)] },
      end: { verdict: 'drop', undecidedRules: 1 },
    },
    {
      name: 'counts a jump that may not hold',
      chains: { base: [rule(other('limit'), jumpTo('a')), rule(DROP)], a: [rule(ACCEPT)] },
      end: { verdict: 'drop', undecidedRules: 1 },
    },
    {
      name: 'counts a verdict map and a queue',
      chains: { base: [rule({ type: 'lookup', set: 'm', sreg: 1, dreg: 0 }), rule(other('queue'))] },
      policy: 'drop',
      end: { verdict: 'drop', undecidedRules: 2 },
    },
    {
      name: 'ends in a reject',
      chains: { base: [rule({ type: 'reject', rejectType: 0 })] },
      end: { verdict: 'drop', by: 'rule' },
    },
    {
      name: 'ends in a REJECT of x_tables',
      chains: { base: [rule({ type: 'target', extension: 'REJECT' })] },
      end: { verdict: 'drop', by: 'rule' },
    },
    {
      name: 'goes on behind a LOG of x_tables',
      chains: { base: [rule({ type: 'target', extension: 'LOG' }), rule(DROP)] },
      end: { verdict: 'drop', undecidedRules: 0 },
    },
    {
      name: 'goes on behind a rule without expressions',
      chains: { base: [{ family: 2, version: 0, resourceId: 0 }, rule(DROP)] },
      end: { verdict: 'drop' },
    },
    {
      name: 'does not go round for ever',
      chains: { base: [rule(jumpTo('base')), rule(DROP)] },
      end: { verdict: 'drop' },
    },
  ])('$name', ({ chains, policy, end }) => {
    expect(walk(chains, policy)).toMatchObject(end);
  });
});

describe('known bits', () => {
  const bits = fc
    .tuple(fc.uint8Array({ minLength: 2, maxLength: 2 }), fc.uint8Array({ minLength: 2, maxLength: 2 }))
    .map(([mask, value]): KnownBits => ({ mask, value: value.map((byte, index) => byte & (mask[index] ?? 0)) }));
  const pair = fc.uint8Array({ minLength: 2, maxLength: 2 });
  /** Every value that the bits allow. */
  const all = ({ mask, value }: KnownBits): Uint8Array[] =>
    Array.from({ length: 65536 }, (_, number) => Uint8Array.of(number >>> 8, number & 255)).filter((bytes) =>
      bytes.every((byte, index) => ((byte ^ (value[index] ?? 0)) & (mask[index] ?? 0)) === 0),
    );

  test('compare as all their possible values together', () => {
    fc.assert(
      fc.property(bits, pair, (known, data) => {
        const equal = all(known).map((bytes) => bytes.toHex() === data.toHex());
        expect(equals(known, data)).toBe(equal.every(Boolean) ? 'yes' : equal.some(Boolean) ? 'perhaps' : 'no');
      }),
      { numRuns: 20 },
    );
  });

  test('masked and flipped, hold for all their possible values', () => {
    fc.assert(
      fc.property(bits, pair, pair, pair, (known, and, xor, probe) => {
        const result = maskXor(known, and, xor);
        const value = probe.map((byte, index) => (byte & ~(known.mask[index] ?? 0)) | (known.value[index] ?? 0));
        const real = value.map((byte, index) => (byte & (and[index] ?? 0)) ^ (xor[index] ?? 0));
        expect(real.map((byte, index) => byte & (result.mask[index] ?? 0))).toEqual(result.value);
      }),
    );
  });

  test('of nothing known nothing is decided, but for an empty comparison', () => {
    expect(equals(unknownBits(4), ipToBytes(unwrap(parseIp('10.0.0.1'))))).toBe('perhaps');
    expect(equals(unknownBits(4), new Uint8Array())).toBe('yes');
  });
});
