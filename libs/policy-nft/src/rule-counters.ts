/**
 * Counters of policies as named counters of nf_tables: objects that rules refer to. Chains come and go with what policies
 * say, and what was counted stays. The comment of each says since when it counts.
 */
import type { CounterId, CounterReading, RuleChain } from '@canal/rules-ast';
import { commentOf, commentUserData, type NftCounter } from 'netlink-ts';

const OWN = /^(in|eg)-[0-9a-f]{12}-([0-9a-f]{12}(-shared)?|denied)$/;

const SINCE = 'since ';

/** Each once. */
export function chainCounters(chains: Iterable<RuleChain>): ReadonlySet<CounterId> {
  const ids = new Set<CounterId>();
  for (const { rules, denied = [] } of chains) {
    for (const { counters = [] } of rules) for (const id of counters) ids.add(id);
    for (const id of denied) ids.add(id);
  }
  return ids;
}

/** Named as we name them. */
export function isOwnCounter(name: string): boolean {
  return OWN.test(name);
}

/** Of a counter that begins now. */
export function sinceUserData(nowMs: number): Uint8Array {
  return commentUserData(SINCE + new Date(nowMs).toISOString());
}

export function readingOf({ name, packets, bytes, userData }: NftCounter): CounterReading {
  const comment = commentOf(userData);
  const sinceMs = comment?.startsWith(SINCE) === true ? Date.parse(comment.slice(SINCE.length)) : Number.NaN;
  const since = Number.isNaN(sinceMs) ? {} : { sinceMs };
  return { id: name, packets: Number(packets), bytes: Number(bytes), ...since };
}
