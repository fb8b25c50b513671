import type { TrafficRule } from '@canal/model';
import { parseCidr, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { nftRule } from './nft-rules.ts';

const cidr = (text: string) => unwrap(parseCidr(text));
const RULE: TrafficRule = {
  matches: [
    { type: 'mark', mask: 0x4000, value: 0x4000 },
    { type: 'source', cidr: cidr('10.0.0.0/9') },
  ],
  verdict: { type: 'masquerade', fullyRandom: false },
  comment: 'one',
};

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
