/**
 * Names of counters. One stands for a rule of a policy, by the policy's uid and by what the rule says: it stays the rule's
 * own wherever the rule stands in its list, and is another one's when the rule says something else.
 *
 *     in-<policy>-<rule>           what the rule allows
 *     in-<policy>-<rule>-shared    what it allows together with rules that allow something else
 *     in-<policy>-denied           what no rule allows, at pods that the policy isolates
 */
import type { NetworkPolicy } from '@canal/model';
import type { CounterId, Direction } from '@canal/rules-ast';
import { hash48 } from './content-ids.ts';

/** In so many at most: each costs a packet 25 ns (packet-cost.bench.ts). What stands for more does not count. */
const MOST_COUNTERS = { allowed: 8, denied: 16 } as const;

const PREFIX: Readonly<Record<Direction, string>> = { ingress: 'in-', egress: 'eg-' };
const POLICY_START = 3;
const POLICY_END = 15;

/** `text`: equal for rules that say the same. */
export function ruleCounter({ uid }: Pick<NetworkPolicy, 'uid'>, direction: Direction, text: string): CounterId {
  return `${PREFIX[direction]}${hash48(uid)}-${hash48(text)}`;
}

export function sharedCounter(id: CounterId): CounterId {
  return `${id}-shared`;
}

export function deniedCounter({ uid }: Pick<NetworkPolicy, 'uid'>, direction: Direction): CounterId {
  return `${PREFIX[direction]}${hash48(uid)}-denied`;
}

/** Equal for all counters of a policy. */
export function counterOwner(id: CounterId): string {
  return id.slice(POLICY_START, POLICY_END);
}

export function policyOwner({ uid }: Pick<NetworkPolicy, 'uid'>): string {
  return hash48(uid);
}

/** Rules of policies that all allow the same, by their counters; one more than count when there are more. */
export type Origins = readonly CounterId[];

export function addOrigin(origins: CounterId[], id: CounterId): void {
  if (origins.length <= MOST_COUNTERS.allowed && !origins.includes(id)) origins.push(id);
}

/**
 * Where a rule of the kernel counts that allows all of `parts`. A rule of a policy that allows each of them has what it
 * counts for itself; of one that allows some of them nobody can tell which. None when they are too many.
 */
export function countersOf(parts: Iterable<Origins>): readonly CounterId[] {
  const all = new Set<CounterId>();
  let ofEach: ReadonlySet<CounterId> | undefined;
  let before: Origins = [];
  for (const part of parts) {
    if (ofEach !== undefined && part.length === before.length && part.every((id, at) => id === before[at])) continue;
    before = part;
    const own = new Set(part);
    for (const id of own) all.add(id);
    if (all.size > MOST_COUNTERS.allowed) return [];
    ofEach = ofEach?.intersection(own) ?? own;
  }
  return [...all].map((id) => (ofEach?.has(id) === true ? id : sharedCounter(id))).sort();
}

/** Where a chain counts what the rules of these policies do not allow. */
export function deniedCounters(policies: readonly NetworkPolicy[], direction: Direction): readonly CounterId[] {
  if (policies.length > MOST_COUNTERS.denied) return [];
  return policies.map((policy) => deniedCounter(policy, direction)).sort();
}
