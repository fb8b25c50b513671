/**
 * What `value` of an answer holds, by op. `explain` gives an Explanation of policy-compile as JSON (a question that names
 * what is not there is a not-found), `flows` a FlowRecord in each of its lines, endpoints, policies and counters a list in one
 * line, `delete-endpoint` an empty object.
 */

/** add-endpoint. `isolated`: nothing passes until the agent knows the pod; `reason` says why, for people. */
export interface EndpointAdded {
  readonly state: 'policed' | 'isolated';
  readonly reason?: string;
}

/** status */
export interface AgentStatusMessage {
  readonly version: string;
  readonly node: string;
  readonly ready: boolean;
  /** Why not ready, or what else people should know; one sentence each. */
  readonly notes: readonly string[];
  readonly strict: boolean;
  readonly streams: readonly StreamStatusMessage[];
  /** ISO 8601; absent before the first time that the kernel was as wanted. */
  readonly lastSync?: string;
  /** Of what is in force. */
  readonly counts: {
    readonly endpoints: number;
    /** Endpoints that are isolated because their pod is not known. */
    readonly isolated: number;
    readonly policies: number;
    readonly chains: number;
    readonly sets: number;
    readonly members: number;
  };
}

/** One watch of the API server. */
export interface StreamStatusMessage {
  readonly kind: string;
  readonly inSync: boolean;
  readonly connected: boolean;
  readonly objects: number;
  readonly error?: string;
}

/** An item of endpoints. */
export interface EndpointStatusMessage {
  readonly key: string;
  readonly hostInterface: string;
  readonly mode: 'routed' | 'bridge';
  readonly addresses: readonly string[];
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** As in EndpointStatus of policy-compile; all but `policed` are isolated. */
  readonly state: 'policed' | 'unknown-pod' | 'address-taken';
  /** `namespace/name` of the policies that isolate it for the direction; empty: it is not isolated. */
  readonly ingress: readonly string[];
  readonly egress: readonly string[];
}

/** An item of policies. */
export interface PolicyStatusMessage {
  /** `namespace/name` */
  readonly policy: string;
  readonly uid: string;
  /** How many endpoints of this node it selects. */
  readonly localEndpoints: number;
  readonly problems: readonly { readonly code: string; readonly field: string; readonly message: string }[];
}

/** An item of counters: what this node counted for a rule of a policy. A rule that nothing counts for is left out. */
export interface RuleCountMessage {
  /** `namespace/name` */
  readonly policy: string;
  readonly uid: string;
  readonly direction: 'ingress' | 'egress';
  /** Place in the list; absent: what no rule of any policy allowed, at pods that this one isolates. */
  readonly rule?: number;
  /** First packets of flows, and those after them until the flow is answered. */
  readonly packets: number;
  readonly bytes: number;
  /** Of the packets, those that the kernel's rule allowed for rules that say different things: it cannot tell which. */
  readonly sharedPackets: number;
  /** ISO 8601 with milliseconds: since when, or not before when. */
  readonly since: string;
}
