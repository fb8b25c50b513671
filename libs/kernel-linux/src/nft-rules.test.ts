import type { TrafficRule } from '@canal/model';
import { parseCidr, unwrap } from 'net-types';
import { NFT_VERDICT, type NftExpression, verdict } from 'netlink-ts';
import { describe, expect, test } from 'vitest';
import { nftRule, ruleText } from './nft-rules.ts';

const cidr = (text: string) => unwrap(parseCidr(text));
const RULE: TrafficRule = {
  matches: [
    { type: 'mark', mask: 0x4000, value: 0x4000 },
    { type: 'source', cidr: cidr('10.0.0.0/9') },
  ],
  verdict: { type: 'masquerade', fullyRandom: false },
  comment: 'one',
};
const CONTENT = nftRule(RULE);
const EXPRESSIONS = CONTENT.expressions ?? [];

/** The rule as a kernel might tell it. */
function told(change: (expression: NftExpression) => NftExpression): string {
  return ruleText({ ...CONTENT, expressions: EXPRESSIONS.map(change) });
}

describe('equal to what we send is what the kernel', () => {
  test.each<{ name: string; change: (expression: NftExpression) => NftExpression }>([
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
      name: 'adds in attributes that only it knows',
      change: (one) => (one.type === 'other' ? one : { ...one, unknown: [{ type: 77, bytes: Uint8Array.of(1) }] }),
    },
  ])('$name', ({ change }) => {
    expect(told(change)).toBe(ruleText(CONTENT));
  });
});

describe('different is', () => {
  test.each<{ name: string; text: () => string }>([
    {
      name: 'another mask',
      text: () =>
        told((one) => (one.type === 'bitwise' ? { ...one, mask: { value: Uint8Array.of(1, 2, 3, 4) } } : one)),
    },
    { name: 'another operation', text: () => told((one) => (one.type === 'bitwise' ? { ...one, op: 1 } : one)) },
    {
      name: 'another way to choose ports',
      text: () => told((one) => (one.type === 'masq' ? { ...one, flags: 16 } : one)),
    },
    { name: 'a port range', text: () => told((one) => (one.type === 'masq' ? { ...one, portMinReg: 1 } : one)) },
    { name: 'another comment', text: () => ruleText(nftRule({ ...RULE, comment: 'two' })) },
    { name: 'no comment', text: () => ruleText({ expressions: EXPRESSIONS }) },
    {
      name: 'no counter',
      text: () => ruleText({ ...CONTENT, expressions: EXPRESSIONS.filter(({ type }) => type !== 'counter') }),
    },
    { name: 'another order', text: () => ruleText({ ...CONTENT, expressions: EXPRESSIONS.toReversed() }) },
    {
      name: 'an expression more',
      text: () => ruleText({ ...CONTENT, expressions: [...EXPRESSIONS, verdict(NFT_VERDICT.DROP)] }),
    },
    {
      name: 'an expression that we do not know',
      text: () =>
        ruleText({ ...CONTENT, expressions: [{ type: 'other', name: 'limit', attributes: [] }, ...EXPRESSIONS] }),
    },
    {
      name: 'a rule whose expressions could not be read',
      text: () => ruleText({ userData: CONTENT.userData ?? new Uint8Array() }),
    },
    { name: 'a protocol for x_tables', text: () => ruleText({ ...CONTENT, compat: { protocol: 6, flags: 0 } }) },
  ])('$name', ({ text }) => {
    expect(text()).not.toBe(ruleText(CONTENT));
  });
});

test('the family is asked for once, before the addresses, and not at all when none is matched', () => {
  const metaKeys = (rule: TrafficRule) =>
    (nftRule(rule).expressions ?? []).flatMap((one) => (one.type === 'meta' ? [one.key] : []));
  expect(metaKeys({ ...RULE, matches: [...RULE.matches, { type: 'destination', cidr: cidr('10.1.0.0/16') }] })).toEqual(
    [15, 3],
  );
  expect(metaKeys({ ...RULE, matches: RULE.matches.slice(0, 1) })).toEqual([3]);
});

test('addresses of two families in one rule are refused: no packet has both', () => {
  const mixed: TrafficRule = { ...RULE, matches: [...RULE.matches, { type: 'destination', cidr: cidr('fd00::/8') }] };
  expect(() => nftRule(mixed)).toThrow(/two families/);
});
