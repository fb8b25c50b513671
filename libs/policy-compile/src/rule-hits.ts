/** What counters have counted, as hits of the rules of policies that they stand for. */
import type { NetworkPolicy } from '@canal/model';
import type { CounterId, CounterReading, Direction } from '@canal/rules-ast';
import { countedRules } from './allow-list.ts';
import { counterOwner, deniedCounter, policyOwner, sharedCounter } from './rule-counters.ts';

export interface RuleHits {
  /** `namespace/name` */
  readonly policy: string;
  readonly uid: string;
  readonly direction: Direction;
  /** Place in the list; absent: what no rule of any policy allowed, at pods that this one isolates. */
  readonly rule?: number;
  /** As in CounterReading. */
  readonly packets: number;
  readonly bytes: number;
  /** Of the packets, those that it allowed together with rules that allow something else: perhaps one of these did. */
  readonly sharedPackets: number;
  /** Since the epoch; absent where that is not known. */
  readonly sinceMs?: number;
}

/** In the order of the policies and of their lists. A rule that nothing counts for is left out. */
export function* ruleHits(policies: Iterable<NetworkPolicy>, readings: Iterable<CounterReading>): Generator<RuleHits> {
  const byId = new Map(Iterator.from(readings).map((reading) => [reading.id, reading]));
  for (const [policy, direction, { id, index }] of countersAmong(policies, byId.keys())) {
    const alone = byId.get(id);
    const shared = index === undefined ? undefined : byId.get(sharedCounter(id));
    const found = [alone, shared].filter((reading) => reading !== undefined);
    if (found.length === 0) continue;
    const { namespace, name, uid } = policy;
    const since = found.flatMap(({ sinceMs }) => sinceMs ?? []);
    yield {
      policy: `${namespace}/${name}`,
      uid,
      direction,
      ...(index !== undefined && { rule: index }),
      packets: found.reduce((sum, { packets }) => sum + packets, 0),
      bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
      sharedPackets: shared?.packets ?? 0,
      ...(since.length === found.length && { sinceMs: Math.min(...since) }),
    };
  }
}

/** Those of the counters whose rule is there. */
export function keptCounters(policies: Iterable<NetworkPolicy>, ids: Iterable<CounterId>): ReadonlySet<CounterId> {
  const kept = new Set<CounterId>();
  const asked = new Set(ids);
  for (const [, , { id, index }] of countersAmong(policies, asked)) {
    for (const each of index === undefined ? [id] : [id, sharedCounter(id)]) if (asked.has(each)) kept.add(each);
  }
  return kept;
}

interface Counted {
  readonly id: CounterId;
  /** Absent: what is denied. */
  readonly index?: number;
}

/** What counts for those policies that any of the counters is of. Rules that say the same are one, at the first's place. */
function* countersAmong(
  policies: Iterable<NetworkPolicy>,
  ids: Iterable<CounterId>,
): Generator<readonly [NetworkPolicy, Direction, Counted]> {
  const owners = new Set(Iterator.from(ids).map(counterOwner));
  if (owners.size === 0) return;
  for (const policy of policies) {
    if (!owners.has(policyOwner(policy))) continue;
    for (const direction of ['ingress', 'egress'] as const) {
      if (policy[direction] === undefined) continue;
      const seen = new Set<CounterId>();
      for (const { index, counter } of countedRules(policy, direction)) {
        if (!seen.has(counter)) yield [policy, direction, { id: counter, index }];
        seen.add(counter);
      }
      yield [policy, direction, { id: deniedCounter(policy, direction) }];
    }
  }
}
