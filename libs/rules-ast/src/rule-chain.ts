/**
 * What an isolated endpoint lets through in one direction, told without words of any firewall. A packet that no rule
 * allows is dropped at the end of the chain. Everything before the chains (established flows, errors of allowed flows,
 * neighbour discovery, the node's own traffic) is the same for all endpoints and is not here.
 */
import type { CounterId } from './rule-counter.ts';
import type { PortRange, RuleProtocol } from './rule-packet.ts';
import type { SetId } from './rule-set.ts';

export type ChainId = string;

export type Direction = 'ingress' | 'egress';

export interface RuleChain {
  /**
   * `in-` or `eg-` and 12 hex digits of a hash of direction, rules and counters: equal chains are one, and what a chain
   * allows and where it counts never changes under its id. Its sets' members do.
   */
  readonly id: ChainId;
  readonly direction: Direction;
  /** Order does not matter: each allows. In canonical order. */
  readonly rules: readonly AllowRule[];
  /** What no rule allows counts in each of these. Absent: nowhere. */
  readonly denied?: readonly CounterId[];
}

/** Allows a packet whose peer (source of ingress, destination of egress) and destination port both match. */
export interface AllowRule {
  readonly peer: RulePeer;
  /** 'any': every protocol. Of a peer of type 'address-ports', which names the ports itself, always 'any'. */
  readonly ports: 'any' | readonly PortMatch[];
  /** What it allows counts in each of these. Absent: nowhere. */
  readonly counters?: readonly CounterId[];
}

export type RulePeer =
  /** Every address of both families. */
  | { readonly type: 'any' }
  /** The address is a member of a set of kind 'addresses'. */
  | { readonly type: 'addresses'; readonly set: SetId }
  /** The address is in a block of the set (kind 'blocks'). */
  | { readonly type: 'blocks'; readonly set: SetId }
  /** Address, protocol and destination port together are a member of a set of kind 'address-ports'. */
  | { readonly type: 'address-ports'; readonly set: SetId };

/** Ranges ascend, do not touch and do not overlap; none: all ports of the protocol. One match a protocol. */
export interface PortMatch {
  readonly protocol: RuleProtocol;
  readonly ranges: readonly PortRange[];
}
