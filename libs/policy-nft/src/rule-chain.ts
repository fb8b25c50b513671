/**
 * A RuleChain as an nf_tables chain. What a rule allows returns to `judge` (the chain is gone to, not called), so that the
 * chain of the other end judges too; the end of the chain denies. Each counts right before it: known flows do not come here.
 */
import {
  type AllowRule,
  type CounterId,
  type Direction,
  PROTOCOL_NUMBER,
  type RuleChain,
  type RulePeer,
} from '@canal/rules-ast';
import {
  goto,
  matchFamily,
  matchPort,
  matchProtocol,
  matchSet,
  namedCounter,
  NFT_FIELD,
  NFT_VERDICT,
  type NftExpression,
  type NftField,
  verdict,
} from 'netlink-ts';
import type { IpFamily } from 'net-types';
import { DENIED_CHAIN } from './chain-names.ts';
import { FAMILIES, setName } from './rule-set.ts';
import type { ChainImage, RuleImage } from './table-image.ts';

export function chainImage(chain: RuleChain): ChainImage {
  const rules = chain.rules.flatMap((rule) => allowRules(chain.direction, rule));
  const denies = [...counts(chain.denied), goto(DENIED_CHAIN[chain.direction])];
  return { name: chain.id, rules: [...rules, denies] };
}

function counts(counters: readonly CounterId[] = []): readonly NftExpression[] {
  return counters.map(namedCounter);
}

function allowRules(direction: Direction, { peer, ports, counters }: AllowRule): RuleImage[] {
  const peers: (readonly NftExpression[])[] =
    peer.type === 'any' ? [[]] : FAMILIES.map((family) => matchPeer(direction, peer, family));
  // What is compared with a constant comes first: it is cheaper than a set.
  const allows = [...counts(counters), verdict(NFT_VERDICT.RETURN)];
  return portMatches(ports).flatMap((port) => peers.map((match) => [...port, ...match, ...allows]));
}

/** One for each way to match; an empty one matches everything. */
function portMatches(ports: AllowRule['ports']): (readonly NftExpression[])[] {
  if (ports === 'any') return [[]];
  return ports.flatMap(({ protocol, ranges }): NftExpression[][] => {
    const isProtocol = matchProtocol(PROTOCOL_NUMBER[protocol]);
    if (ranges.length === 0) return [isProtocol];
    return ranges.map(({ first, last }) => [...isProtocol, ...matchPort('dport', first, last)]);
  });
}

const PEER_ADDRESS: Readonly<Record<Direction, Readonly<Record<IpFamily, NftField>>>> = {
  ingress: { 4: NFT_FIELD.ipSaddr, 6: NFT_FIELD.ip6Saddr },
  egress: { 4: NFT_FIELD.ipDaddr, 6: NFT_FIELD.ip6Daddr },
};

function matchPeer(
  direction: Direction,
  peer: Exclude<RulePeer, { type: 'any' }>,
  family: IpFamily,
): readonly NftExpression[] {
  const address = PEER_ADDRESS[direction][family];
  const isFamily = matchFamily(family);
  switch (peer.type) {
    case 'addresses':
    case 'blocks':
      return [...isFamily, ...matchSet(setName(peer.set, family), [address])];
    case 'address-ports':
      return [...isFamily, ...matchSet(setName(peer.set, family), [address, NFT_FIELD.l4proto, NFT_FIELD.dport])];
  }
}
