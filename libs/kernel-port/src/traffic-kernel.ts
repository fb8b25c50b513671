/** What the node agent asks of the kernel's packet rules: keep one table of ours as it shall be, and say who else drops. */
import type { TrafficTable } from '@canal/model';
import type { Cidr } from 'net-types';

export interface TrafficKernel {
  /** Reads the table back and says how it differs from what is wanted, rule by rule. Throws KernelError. */
  compare(desired: TrafficTable): Promise<TrafficComparison>;

  /**
   * Makes the table equal: reads it, writes the difference in one transaction, reads again. Rules that are right are not
   * written. Packets see the old rules or the new ones, at no moment none. Tells what differed before; throws
   * KernelError when the kernel refuses, or holds something else than was written.
   */
  apply(desired: TrafficTable): Promise<TrafficComparison>;

  /** Removes the table; false when there was none. Throws KernelError. */
  remove(name: string): Promise<boolean>;

  /**
   * Tells that others have changed something; our own changes are left out. Begins with one `resync` once it listens;
   * ends when the signal aborts.
   */
  monitor(name: string, signal: AbortSignal): AsyncIterable<TrafficEvent>;

  /**
   * Where this host drops what it should forward between these networks and the rest: chains of others at the forward
   * hook, read and never changed. One network a family; `ownTables` are not asked. Throws KernelError.
   */
  findForwardDrops(networks: readonly Cidr[], ownTables: readonly string[]): Promise<readonly ForwardDrop[]>;

  /** Closes the sockets; every later call throws KernelError. */
  close(): void;
}

export interface TrafficComparison {
  /** Hash of what was wanted, as the kernel would hold it: the same on every node with the same rules. */
  readonly generation: string;
  /** What was not so in the kernel; empty: nothing, and nothing was written. */
  readonly differences: readonly TrafficDifference[];
}

export interface TrafficDifference {
  readonly code: TrafficDifferenceCode;
  readonly chain?: string;
  /** For the log: what was found. */
  readonly message: string;
}

export type TrafficDifferenceCode =
  | 'table-missing'
  /** There, but it should not be. */
  | 'table-unwanted'
  /** Switched off (dormant), owned by another program, or holding sets and the like that are not ours. */
  | 'table-changed'
  | 'chain-missing'
  /** Another hook, priority, type or policy. */
  | 'chain-changed'
  | 'chain-foreign'
  /** Rules missing, added, changed or in another order. */
  | 'rules-changed';

export type TrafficEvent =
  /** Somebody else changed the table. */
  | { readonly type: 'changed' }
  /** A table that has a chain at the forward hook was changed: findForwardDrops may answer otherwise now. */
  | { readonly type: 'forward-hook' }
  /** Events were lost, or none were heard yet. */
  | { readonly type: 'resync' };

/** A chain of somebody else in which new flows of the pods' network end. */
export interface ForwardDrop {
  /** As nft names it: `ip`, `ip6` or `inet`; `legacy-ip` and `legacy-ip6` for iptables-legacy. */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** A rule without a condition that these packets fail, or the policy at the end of the chain. */
  readonly by: 'rule' | 'policy';
  readonly traffic: readonly ForwardTraffic[];
  /** Rules on the way that may let some of it pass, on conditions that cannot be judged from here (interfaces, sets). */
  readonly undecidedRules: number;
  readonly message: string;
  readonly cure: string;
}

export type ForwardTraffic =
  /** From one pod to another. */
  | 'pod-to-pod'
  | 'pod-to-outside'
  /** From outside to a pod, by a Service. */
  | 'service-to-pod';
