/** Traffic rules as nf_tables expressions, and a form of them in which equal rules are equal text. */
import type { TrafficMatch, TrafficRule, TrafficVerdict } from '@canal/model';
import { cidrFamily } from 'net-types';
import {
  commentUserData,
  counter,
  masquerade,
  matchAddress,
  matchFamily,
  matchMark,
  NFT_VERDICT,
  type NftExpression,
  type NftRuleInput,
  nftRuleCodec,
  verdict,
  WireWriter,
} from 'netlink-ts';

/** What a rule says, without its place. */
export type NftRuleContent = Pick<NftRuleInput, 'expressions' | 'compat' | 'userData'>;

export function nftRule(rule: TrafficRule): NftRuleContent {
  const families = new Set(rule.matches.flatMap((match) => (match.type === 'mark' ? [] : [cidrFamily(match.cidr)])));
  if (families.size > 1) throw new TypeError(`rule "${rule.comment}" matches addresses of two families`);
  const [family] = families;
  return {
    expressions: [
      ...(family === undefined ? [] : matchFamily(family)),
      ...rule.matches.flatMap(matchOf),
      counter(),
      verdictOf(rule.verdict),
    ],
    userData: commentUserData(rule.comment),
  };
}

function matchOf(match: TrafficMatch): NftExpression[] {
  switch (match.type) {
    case 'mark':
      return matchMark(match.value, match.mask);
    case 'source':
      return matchAddress('saddr', match.cidr, match.negated);
    case 'destination':
      return matchAddress('daddr', match.cidr, match.negated);
  }
}

function verdictOf(wanted: TrafficVerdict): NftExpression {
  switch (wanted.type) {
    case 'accept':
      return verdict(NFT_VERDICT.ACCEPT);
    case 'return':
      return verdict(NFT_VERDICT.RETURN);
    case 'masquerade':
      return masquerade({ fullyRandom: wanted.fullyRandom });
  }
}

/**
 * The same text for what we send and for what the kernel tells of it. Left out: what counters counted, defaults that the
 * kernel fills in or leaves out, and attributes that only a newer kernel knows and adds to its answers.
 */
export function ruleText({ expressions, compat, userData }: NftRuleContent): string {
  const writer = new WireWriter(512);
  nftRuleCodec.encode(writer, {
    ...(expressions !== undefined && { expressions: expressions.map(canonical) }),
    ...(compat !== undefined && { compat }),
    ...(userData !== undefined && { userData }),
  });
  return writer.written.toHex();
}

function canonical(expression: NftExpression): NftExpression {
  if (expression.type === 'other') return expression;
  const { unknown: _, ...known } = expression;
  switch (known.type) {
    case 'counter':
      return { type: 'counter' };
    case 'bitwise': {
      const { op, ...rest } = known;
      return op === undefined || op === 0 ? rest : known;
    }
    case 'masq': {
      const { flags, ...rest } = known;
      return flags === undefined || flags === 0 ? rest : known;
    }
    default:
      return known;
  }
}
