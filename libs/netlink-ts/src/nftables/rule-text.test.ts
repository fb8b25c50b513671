import { macToBytes, parseCidr, parseMac, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { NFT_VERDICT } from './expression/data.ts';
import type { NftExpression } from './expression/expression.ts';
import { NFT_PAYLOAD } from './expression/payload.ts';
import { NFT_FIELD } from './field.ts';
import { nftRuleText, type NftRuleContent } from './rule-text.ts';
import { matchSet } from './set-statements.ts';
import { counter, masquerade, matchAddress, matchFamily, matchMark, verdict } from './statements.ts';
import { logToGroup } from './traffic-statements.ts';
import { commentUserData } from './user-data.ts';

const EXPRESSIONS: readonly NftExpression[] = [
  ...matchMark(0x4000, 0x4000),
  ...matchFamily(4),
  ...matchAddress('saddr', unwrap(parseCidr('10.0.0.0/9'))),
  ...matchSet('s', [NFT_FIELD.ipDaddr]),
  { type: 'immediate', dreg: 1, data: { value: macToBytes(unwrap(parseMac('02:00:00:00:00:01'))) } },
  { type: 'payload', sreg: 1, base: NFT_PAYLOAD.LL_HEADER, offset: 0, length: 6 },
  counter(),
  logToGroup(20, { prefix: 'p' }),
  masquerade(),
];
const CONTENT: NftRuleContent = { expressions: EXPRESSIONS, userData: commentUserData('one') };

/** The rule as a kernel might tell it. */
function told(change: (expression: NftExpression) => NftExpression): string {
  return nftRuleText({ ...CONTENT, expressions: EXPRESSIONS.map(change) });
}

interface Change {
  readonly name: string;
  readonly change: (expression: NftExpression) => NftExpression;
}

describe('equal to what is sent is what the kernel', () => {
  test.each<Change>([
    { name: 'has counted', change: (one) => (one.type === 'counter' ? { ...one, packets: 7n, bytes: 9n } : one) },
    {
      name: 'tells of bitwise defaults (5.6 and later)',
      change: (one) => (one.type === 'bitwise' ? { ...one, op: 0 } : one),
    },
    {
      name: 'tells of masquerade flags that are none',
      change: (one) => (one.type === 'masq' ? { ...one, flags: 0 } : one),
    },
    {
      name: 'tells of a lookup that is not inverted, and of a set by its name alone',
      change: (one) => (one.type === 'lookup' ? { ...one, flags: 0, setId: 3 } : one),
    },
    {
      name: 'tells of a log without limits',
      change: (one) => (one.type === 'log' ? { ...one, snapLength: 0, queueThreshold: 0 } : one),
    },
    {
      name: 'tells of a checksum that there is none of',
      change: (one) =>
        one.type === 'payload' ? { ...one, checksumType: 0, checksumOffset: 0, checksumFlags: 0 } : one,
    },
    {
      name: 'adds in attributes that only it knows',
      change: (one) => (one.type === 'other' ? one : { ...one, unknown: [{ type: 77, bytes: Uint8Array.of(1) }] }),
    },
  ])('$name', ({ change }) => {
    expect(EXPRESSIONS.some((one) => change(one) !== one)).toBe(true);
    expect(told(change)).toBe(nftRuleText(CONTENT));
  });
});

describe('different is', () => {
  test.each<Change>([
    {
      name: 'another mask',
      change: (one) => (one.type === 'bitwise' ? { ...one, mask: { value: Uint8Array.of(1, 2, 3, 4) } } : one),
    },
    { name: 'another operation', change: (one) => (one.type === 'bitwise' ? { ...one, op: 1 } : one) },
    { name: 'another way to choose ports', change: (one) => (one.type === 'masq' ? { ...one, flags: 16 } : one) },
    { name: 'a port range', change: (one) => (one.type === 'masq' ? { ...one, portMinReg: 1 } : one) },
    { name: 'the opposite of a lookup', change: (one) => (one.type === 'lookup' ? { ...one, flags: 1 } : one) },
    { name: 'a log of fewer bytes', change: (one) => (one.type === 'log' ? { ...one, snapLength: 1 } : one) },
    {
      name: 'a checksum that is mended',
      change: (one) => (one.type === 'payload' && one.sreg !== undefined ? { ...one, checksumType: 1 } : one),
    },
  ])('$name', ({ change }) => {
    expect(told(change)).not.toBe(nftRuleText(CONTENT));
  });

  test.each<{ name: string; content: NftRuleContent }>([
    { name: 'another comment', content: { ...CONTENT, userData: commentUserData('two') } },
    { name: 'no comment', content: { expressions: EXPRESSIONS } },
    {
      name: 'no counter',
      content: { ...CONTENT, expressions: EXPRESSIONS.filter(({ type }) => type !== 'counter') },
    },
    { name: 'another order', content: { ...CONTENT, expressions: EXPRESSIONS.toReversed() } },
    {
      name: 'an expression more',
      content: { ...CONTENT, expressions: [...EXPRESSIONS, verdict(NFT_VERDICT.DROP)] },
    },
    {
      name: 'an expression without a codec',
      content: { ...CONTENT, expressions: [{ type: 'other', name: 'limbo', attributes: [] }, ...EXPRESSIONS] },
    },
    { name: 'a rule whose expressions could not be read', content: { userData: commentUserData('one') } },
    { name: 'a protocol for x_tables', content: { ...CONTENT, compat: { protocol: 6, flags: 0 } } },
  ])('$name', ({ content }) => {
    expect(nftRuleText(content)).not.toBe(nftRuleText(CONTENT));
  });
});
