/** What the parts of a diff are told. */
import type { InterfaceName } from 'net-types';
import type { OperationPlan } from './operation-order.ts';

export interface DiffOptions {
  /**
   * The store has delivered everything. Before that a missing peer may only be unread: nothing is deleted, and nothing
   * overwritten that a peer yet unknown may use.
   */
  readonly inSync: boolean;
  /** Devices of ours that stay although nobody wants them any more: peers may still be sending to them. */
  readonly keepLinks?: ReadonlySet<InterfaceName>;
}

/** What the other kinds of object must know of the devices. */
export interface LinkOutcome {
  /** Devices of ours after this plan: desired ones, and stale ones that are still there. */
  readonly own: ReadonlySet<InterfaceName>;
  /** Devices of ours that nobody wants any more and that stay for now, to receive. */
  readonly kept: ReadonlySet<InterfaceName>;
  /** Names held by somebody else: nothing of ours can be on them. */
  readonly taken: ReadonlySet<InterfaceName>;
  /** New, made anew or gone in this plan: whatever the snapshot has on them does not count. */
  readonly fresh: ReadonlySet<InterfaceName>;
  /** The kernel empties the neighbour table of a device that gets another MAC (neigh_changeaddr), permanent or not. */
  readonly neighboursLost: ReadonlySet<InterfaceName>;
}

export interface EntryDiffContext {
  readonly links: LinkOutcome;
  readonly inSync: boolean;
  readonly plan: OperationPlan;
}
