/**
 * networking.k8s.io/v1 NetworkPolicy as values. Parsing is closed: what it could not read is not here, allows nothing,
 * and is told in `problems`.
 */
import type { Cidr } from 'net-types';
import type { LabelSelector } from './label-selector.ts';

export type PolicyProtocol = 'TCP' | 'UDP' | 'SCTP';

export interface NetworkPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Pods of `namespace` that it applies to. One that could not be read selects them all. */
  readonly podSelector: LabelSelector;
  /** Present: selected pods are isolated for this direction, and these are its allowances; `[]` allows nothing. */
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
  readonly problems: readonly PolicyProblem[];
}

export interface PolicyRule {
  /** Place in the object's list, so that an explanation can name it after others were dropped. */
  readonly index: number;
  /** 'any': from/to absent or empty, so whatever there is. A list whose items were all unreadable is `[]`: nobody. */
  readonly peers: 'any' | readonly PolicyPeer[];
  /** 'any': ports absent or empty, so every protocol, ICMP too. `[]`: none. */
  readonly ports: 'any' | readonly PolicyPort[];
}

export type PolicyPeer =
  /** Both selectors hold. 'own': the namespace of the policy (namespaceSelector absent). */
  | { readonly type: 'pods'; readonly namespaces: 'own' | LabelSelector; readonly pods: LabelSelector }
  | { readonly type: 'block'; readonly cidr: Cidr; readonly except: readonly Cidr[] };

export interface PolicyPort {
  readonly protocol: PolicyProtocol;
  /** A number means first = last. A name is resolved on the destination pod, by name and protocol. */
  readonly port: 'all' | { readonly first: number; readonly last: number } | { readonly name: string };
}

/** What could not be read, or is too much to be put into rules: the pods concerned stay isolated from it. */
export interface PolicyProblem {
  readonly code:
    | 'InvalidSelector'
    | 'InvalidPeer'
    | 'InvalidPort'
    | 'InvalidPolicyType'
    | 'Unreadable'
    /** Of all policies that select the same pods, not of this object alone. */
    | 'TooManyRules';
  /** As in the object: `spec.ingress[1].ports[0].endPort`. */
  readonly field: string;
  /** Names the value, what is expected, and what follows ("the rule allows nothing"). */
  readonly message: string;
}
