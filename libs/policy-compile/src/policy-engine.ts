/**
 * The engine: objects in, rules out. State decides, never the order in which objects came: any sequence that ends in
 * the same objects ends in the same view. A change costs what depends on it, not what is there.
 */
import type { NetworkPolicy, PolicyEndpoint, PolicyNamespace, PolicyPod, PolicyProblem } from '@canal/model';
import type { Ip, Result } from 'net-types';
import type { CounterReading, RuleDelta, RuleView } from '@canal/rules-ast';
import type { Explanation, FlowQuestion, QuestionProblem } from './explanation.ts';
import type { RuleHits } from './rule-hits.ts';

export interface PolicyEngine {
  putPod(pod: PolicyPod): void;
  /** An endpoint whose pod is gone from the API keeps what its last labels gave it, until it goes itself. */
  deletePod(namespace: string, name: string): void;
  putNamespace(namespace: PolicyNamespace): void;
  deleteNamespace(name: string): void;
  putPolicy(policy: NetworkPolicy): void;
  deletePolicy(namespace: string, name: string): void;
  /** One whose pod (by uid) is not known is isolated in both directions with nothing allowed. */
  putEndpoint(endpoint: PolicyEndpoint): void;
  deleteEndpoint(key: string): void;

  /** All of the cluster's nodes; this node's own decide what `own-node` means. */
  setNodeAddresses(own: readonly Ip[], others: readonly Ip[]): void;

  readonly view: RuleView;
  /** What the view changed by since the last call; undefined: nothing. Puts and deletes become visible here alone. */
  flush(): RuleDelta | undefined;

  /**
   * Endpoints, as flushed last, that are let nothing through in a direction because all their policies together are more
   * than a chain may hold: see CHAIN_LIMITS. The statuses of these policies tell of it.
   */
  readonly tooLargeEndpoints: number;

  explain(question: FlowQuestion): Result<Explanation, QuestionProblem>;
  endpointStatuses(): Iterable<EndpointStatus>;
  policyStatuses(): Iterable<PolicyStatus>;
  /** What counters of chains, these or earlier ones, have counted: by policy and rule, in order. */
  hits(readings: Iterable<CounterReading>): Iterable<RuleHits>;
}

export interface EndpointStatus {
  readonly endpoint: PolicyEndpoint;
  /**
   * `unknown-pod`: isolated until the API tells of the pod. `address-taken`: isolated, because another endpoint has an
   * address of it: the one whose pod is not being deleted, then the younger (createdMs, uid, key); unknown pods come behind all.
   */
  readonly state: 'policed' | 'unknown-pod' | 'address-taken';
  /** `namespace/name` of the policies that isolate it, in order. */
  readonly ingress: readonly string[];
  readonly egress: readonly string[];
}

export interface PolicyStatus {
  readonly policy: string;
  readonly uid: string;
  /** Those of the object, and of its rules being too many for pods of this node. */
  readonly problems: readonly PolicyProblem[];
  /** How many endpoints of this node it selects. */
  readonly localEndpoints: number;
}

export interface PolicyEngineOptions {
  /**
   * A chain with more rules than this over sets of pods gets sets of its own: first one for all peers with equal ports,
   * then, when these are still more, sets of (address, port) for lists of few ports. So a packet costs the same whatever
   * their number.
   */
  readonly flattenAbove: number;
}

export const DEFAULT_POLICY_ENGINE_OPTIONS: PolicyEngineOptions = { flattenAbove: 8 };
