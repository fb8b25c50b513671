/** Traffic rules as nf_tables expressions. */
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
  type NftRuleContent,
  verdict,
} from 'netlink-ts';

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
