/**
 * The whole of what shall be in force, and what changes it: the engine gives both, a dataplane takes them. Chains and
 * sets that nothing refers to are in neither.
 */
import type { InterfaceName, Ip, Mac } from 'net-types';
import type { ChainId, RuleChain } from './rule-chain.ts';
import type { CounterId } from './rule-counter.ts';
import type { RuleSet, SetId, SetMember } from './rule-set.ts';

/** A pod's interface on this node and the chains that judge it. */
export interface RuleEndpoint {
  readonly key: string;
  readonly hostInterface: InterfaceName;
  readonly mode: 'routed' | 'bridge';
  readonly mac: Mac;
  readonly addresses: readonly Ip[];
  /** Absent: not isolated in that direction. */
  readonly ingress?: ChainId;
  readonly egress?: ChainId;
}

/** Consistent from one change to the next; iterations are not to be kept over a change. */
export interface RuleView {
  endpoints(): Iterable<RuleEndpoint>;
  chains(): Iterable<RuleChain>;
  sets(): Iterable<RuleSet>;
  /** Throws RangeError for a set that is not in `sets()`. */
  members(id: SetId): Iterable<SetMember>;
  memberCount(id: SetId): number;
  /**
   * Of counters that no chain has, those that are to keep what they counted: the rule that they stand for is there, and
   * may get a chain again.
   */
  keptCounters(ids: Iterable<CounterId>): ReadonlySet<CounterId>;
}

/**
 * From one view to the next. One transaction carries it; what is new is referred to by nothing that was there, so that
 * new sets can be filled in earlier transactions.
 */
export interface RuleDelta {
  /** Their members are in the view. */
  readonly newSets: readonly RuleSet[];
  readonly newChains: readonly RuleChain[];
  /** Of sets that stay. */
  readonly members: ReadonlyMap<SetId, MemberChange>;
  /** New or changed endpoints. One address is never on two endpoints of a view. */
  readonly endpoints: readonly RuleEndpoint[];
  /** As they were. An address may be another endpoint's now: removals come first. */
  readonly removedEndpoints: readonly RuleEndpoint[];
  readonly removedChains: readonly ChainId[];
  readonly removedSets: readonly RuleSet[];
}

export interface MemberChange {
  readonly added: readonly SetMember[];
  readonly removed: readonly SetMember[];
}
