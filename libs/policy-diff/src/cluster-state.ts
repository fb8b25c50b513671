/** A cluster as policies see it, at one time: what two of are compared. The order of the lists means nothing. */
import type { NetworkPolicy, PolicyNamespace, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';

export interface ClusterState {
  /** A namespace that is not here is selected by no namespace selector, `{}` included. */
  readonly namespaces: readonly PolicyNamespace[];
  readonly pods: readonly PolicyPod[];
  readonly policies: readonly NetworkPolicy[];
  readonly nodes: readonly ClusterNode[];
}

export interface ClusterNode {
  /** As `PolicyPod.node` has it. */
  readonly name: string;
  /** All that the node sends from, those of its bridges and tunnels too. */
  readonly addresses: readonly Ip[];
}

/** Of a pair of states: 0 is before, 1 is after. */
export type When = 0 | 1;
export const BOTH: readonly When[] = [0, 1];

/** Kept for before and for after. */
export type Twice<T> = readonly [T, T];
