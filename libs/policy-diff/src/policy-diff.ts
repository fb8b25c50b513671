/** What `diff` gives: plain data in an order of its own, so that equal changes are equal JSON. */
import type { PolicyProtocol } from '@canal/model';
import type { IpFamily } from 'net-types';

export interface PolicyDiff {
  /** Flows that are allowed after and were not before. */
  readonly opens: readonly FlowGroup[];
  /** Flows that were allowed before and are not after. */
  readonly closes: readonly FlowGroup[];
  /** Pods that have an address of a family in one state alone. None of their flows of that family is compared. */
  readonly came: readonly PodChange[];
  readonly went: readonly PodChange[];
  /** How much was compared. */
  readonly compared: { readonly pods: number; readonly workloads: number; readonly families: readonly IpFamily[] };
}

/**
 * Every source to every destination at every one of the ports, in each of the families in which both have an address.
 * Never meant, because policy does not judge them: a pod to itself, and a node to a pod that runs on it. Groups may
 * overlap; together they are all that changes.
 */
export interface FlowGroup {
  readonly sources: readonly FlowEnd[];
  readonly destinations: readonly FlowEnd[];
  readonly families: readonly IpFamily[];
  readonly ports: FlowPorts;
  /** What changed, and let these flows change. */
  readonly causes: readonly FlowCause[];
}

/** Pods of a group that have no address of the group's families are not meant. */
export type FlowEnd =
  | PodsEnd
  /** Nodes: each address of one (`name` and address), or all. */
  | {
      readonly type: 'nodes';
      readonly addresses: 'all' | readonly { readonly node: string; readonly address: string }[];
    }
  /**
   * Addresses that are of no pod and no node in either state: all of the families, or those of these blocks
   * (`10.0.0.0/8`) and ranges (`11.0.0.0-255.255.255.255`).
   */
  | { readonly type: 'outside'; readonly ranges: 'all' | readonly string[] };

export type PodsEnd =
  /** Every pod that is compared. `pods` counts what is left without those of `but`. */
  | { readonly type: 'pods'; readonly pods: number; readonly but?: readonly PodsEnd[] }
  /** Every pod of the namespace, without those of `but`. */
  | { readonly type: 'namespace'; readonly name: string; readonly pods: number; readonly but?: readonly PodsEnd[] }
  /** All pods of the workload, or those of `only` (`namespace/name`) when the others behave otherwise. */
  | {
      readonly type: 'workload';
      readonly name: string;
      readonly pods: number;
      readonly of: number;
      readonly only?: readonly string[];
    };

/** In order, none touches the next. `all`: every protocol. */
export type FlowPorts = 'all' | readonly FlowPortRange[];

export type FlowPortRange =
  /** 0..65535 are all ports of the protocol. */
  | { readonly protocol: PolicyProtocol; readonly first: number; readonly last: number }
  /** ICMP, and whatever else has no ports that policies name. */
  | { readonly protocol: 'other' };

export type FlowCause =
  | { readonly type: 'policy'; readonly name: string; readonly change: 'added' | 'removed' | 'changed' }
  /** Labels of the namespace. `added`: it was not known before. */
  | { readonly type: 'namespace'; readonly name: string; readonly change: 'added' | 'removed' | 'changed' }
  /** Labels, named ports or addresses of pods of the workload. */
  | { readonly type: 'pods'; readonly workload: string };

export interface PodChange {
  /** `namespace/name`. */
  readonly pod: string;
  readonly workload: string;
  readonly families: readonly IpFamily[];
}
