import type { Ip } from 'net-types';
import type { RuleProtocol } from './rule-packet.ts';

export type SetId = string;

/** Both families in one; a firewall that keeps families apart makes two of it. */
export interface RuleSet {
  /**
   * `ad-`, `ap-` or `bl-` and 12 hex digits of a hash of what decides the members (selectors, ports, blocks), not of the
   * members: it stays the same while pods come and go.
   */
  readonly id: SetId;
  readonly kind: SetMember['kind'];
}

export type SetMember =
  | { readonly kind: 'addresses'; readonly ip: Ip }
  | { readonly kind: 'address-ports'; readonly ip: Ip; readonly protocol: RuleProtocol; readonly port: number }
  /** All addresses from the first to the last. Those of one set may overlap, and never change under its id. */
  | { readonly kind: 'blocks'; readonly first: Ip; readonly last: Ip };
