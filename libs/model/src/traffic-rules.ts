/**
 * Rules for packets on their way through a node, as plain data: what network-compile gives and kernel-port applies. One
 * table that is ours alone; what others have in tables of their own is neither read into this nor touched by it.
 */
import type { Cidr } from 'net-types';

/** A table of both address families. One without chains is a table that shall not be there. */
export interface TrafficTable {
  readonly name: string;
  readonly chains: readonly TrafficChain[];
}

/** A chain that the kernel calls at a place of a packet's way; a packet that no rule decides upon goes on. */
export interface TrafficChain {
  readonly name: string;
  readonly type: 'filter' | 'nat';
  readonly hook: 'forward' | 'postrouting';
  /** Chains of one hook, of all tables, run in ascending order. */
  readonly priority: number;
  readonly rules: readonly TrafficRule[];
}

/** What all matches agree upon gets the verdict, and is counted. Address matches of one rule are of one family. */
export interface TrafficRule {
  readonly matches: readonly TrafficMatch[];
  readonly verdict: TrafficVerdict;
  /** For people who list the rules: up to 128 bytes. */
  readonly comment: string;
}

export type TrafficMatch =
  | { readonly type: 'source'; readonly cidr: Cidr; readonly negated?: boolean }
  | { readonly type: 'destination'; readonly cidr: Cidr; readonly negated?: boolean }
  /** The packet's mark, of which the bits of `mask` count. */
  | { readonly type: 'mark'; readonly mask: number; readonly value: number };

export type TrafficVerdict =
  /** The packet leaves this chain; chains of other tables still judge it. */
  | { readonly type: 'accept' }
  | { readonly type: 'return' }
  /** The source becomes the address of the interface that the packet leaves by. */
  | { readonly type: 'masquerade'; readonly fullyRandom: boolean };
