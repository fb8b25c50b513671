/** Generated from docs/openapi.json by generate.ts: not to be edited. */

export interface AddressAssignment {
  readonly address: string;
  readonly node: string;
  readonly state: 'in-use' | 'leaked';
  /** Absent, as the interface is, where the file of the address names nobody */
  readonly containerId?: string;
  readonly interface?: string;
  /** Absent when the runtime did not say */
  readonly pod?: Reference;
  readonly since?: string;
  /** Of a leaked one: its sandbox is gone for sure, so that it can be released on demand */
  readonly releasable?: boolean;
}

export interface AddressAssignmentList {
  readonly items: readonly AddressAssignment[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface AddressPool {
  readonly node: string;
  readonly subnet: string;
  /** Addresses that pods can get; a text, for IPv6 has more than JSON numbers hold */
  readonly capacity: string;
  readonly inUse: number;
  /** Held by sandboxes that are gone */
  readonly leaked: number;
}

export interface AddressPoolList {
  readonly items: readonly AddressPool[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface AddressRelease {
  /** False: a trial */
  readonly applied: boolean;
  readonly address: string;
  readonly node: string;
  readonly containerId: string;
  readonly pod?: Reference;
  /** What the node says that it has released */
  readonly detail: string;
}

export interface Agent {
  readonly name: 'flanneld' | 'policy-agent';
  readonly state: 'ready' | 'not-ready' | 'unreachable';
  readonly version?: string;
  /** When the kernel was last as wanted */
  readonly lastSync?: string;
  readonly faults: readonly Fault[];
}

export interface AuditRecord {
  readonly time: string;
  readonly requestId: string;
  /** As TokenReview names it */
  readonly user: string;
  /** Which of the user's tokens it was; the API server's audit log has it, with whom it was made for */
  readonly credential?: string;
  /** operationId */
  readonly operation: string;
  readonly object: string;
  readonly dryRun: boolean;
  readonly status: number;
  /** Lines of the difference; nothing secret is in them */
  readonly changes: readonly string[];
}

export interface AuditRecordList {
  readonly items: readonly AuditRecord[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface ClusterEvent {
  readonly time: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly node?: string;
  /** Kind and name */
  readonly object: string;
}

export interface ClusterEventList {
  readonly items: readonly ClusterEvent[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface Diagnosis {
  readonly time: string;
  readonly entries: readonly {
    readonly path: string;
    /** Only fields of a list of allowed ones; the rest is left out, not masked */
    readonly content: string;
  }[];
  readonly missing: readonly {
    readonly path: string;
    readonly reason: string;
  }[];
}

export type DiffCause =
  | {
      readonly type: 'policy' | 'namespace';
      readonly name: string;
      readonly change: 'added' | 'removed' | 'changed';
    }
  | {
      readonly type: 'pods';
      readonly workload: string;
    };

export type DiffEnd =
  | DiffPods
  | {
      readonly type: 'nodes';
      readonly addresses:
        | 'all'
        | readonly {
            readonly node: string;
            readonly address: string;
          }[];
    }
  | {
      readonly type: 'outside';
      /** Blocks, or first-last */
      readonly ranges: 'all' | readonly string[];
    };

/** Every pod, those of a namespace, or those of a workload */
export type DiffPods =
  | {
      readonly type: 'pods';
      readonly pods: number;
      readonly but?: readonly DiffPods[];
    }
  | {
      readonly type: 'namespace';
      readonly name: string;
      readonly pods: number;
      readonly but?: readonly DiffPods[];
    }
  | {
      readonly type: 'workload';
      readonly name: string;
      readonly pods: number;
      readonly of: number;
      readonly only?: readonly string[];
    };

/** `other` is ICMP, and whatever else has no ports */
export type DiffPorts =
  | 'all'
  | readonly (
      | {
          readonly protocol: 'TCP' | 'UDP' | 'SCTP';
          readonly first: number;
          readonly last: number;
        }
      | {
          readonly protocol: 'other';
        }
    )[];

export interface DiffRequest {
  /** As they would be applied: NetworkPolicies, Namespaces, and Pods for their labels */
  readonly objects: readonly { readonly [name: string]: JsonValue }[];
  readonly removed?: readonly {
    readonly kind: 'NetworkPolicy' | 'Namespace' | 'Pod';
    readonly namespace?: string;
    readonly name: string;
  }[];
}

export interface EndVerdict {
  readonly direction: 'ingress' | 'egress';
  readonly verdict: 'allow' | 'deny';
  readonly reason:
    | 'not-isolated'
    | 'allowed-by-rule'
    | 'no-rule-allows'
    | 'too-many-rules'
    | 'own-node'
    | 'same-pod'
    | 'unknown-pod'
    | 'address-taken';
  readonly policies: readonly string[];
  readonly rule?: {
    readonly policy: string;
    readonly index: number;
  };
  readonly misses: readonly {
    readonly policy: string;
    readonly index: number;
    readonly missed: 'peer' | 'port' | 'peer-and-port';
  }[];
}

/** A pod's interface on its node, with the policies in effect */
export interface Endpoint {
  readonly node: string;
  /** Absent when the runtime did not say */
  readonly pod?: Reference;
  readonly interface: string;
  readonly addresses: readonly string[];
  readonly state: 'policed' | 'unknown-pod' | 'address-taken';
  /** Policies that isolate it for ingress */
  readonly ingress: readonly string[];
  readonly egress: readonly string[];
}

export interface EndpointList {
  readonly items: readonly Endpoint[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface Explanation {
  readonly verdict: 'allow' | 'deny';
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly protocol: string;
  readonly port?: number;
  readonly egress?: EndVerdict;
  readonly ingress?: EndVerdict;
  /** The same for people, a sentence a line */
  readonly words: readonly string[];
}

export interface Fault {
  readonly severity: 'error' | 'warning';
  /** With cause and next step */
  readonly message: string;
}

export interface FieldError {
  /** JSON Pointer (RFC 6901) into the body, or `#query/NAME`, `#path/NAME` */
  readonly pointer: string;
  /** The value, and what is expected */
  readonly detail: string;
}

export interface Flow {
  readonly node: string;
  readonly time: string;
  readonly verdict: 'allow' | 'deny';
  readonly reason: string;
  readonly direction?: 'ingress' | 'egress';
  readonly source: RecordedEnd;
  readonly destination: RecordedEnd;
  readonly protocol: string;
  readonly rule?: {
    readonly policy: string;
    readonly index: number;
  };
  readonly isolatedBy?: readonly string[];
  /** Records of this node that were lost before this one */
  readonly lost: number;
}

export interface FlowEnd {
  readonly address: string;
  readonly pod?: Reference;
  readonly kind: 'pod' | 'host' | 'outside';
}

/** Every source to every destination at every one of the ports */
export interface FlowGroup {
  readonly sources: readonly DiffEnd[];
  readonly destinations: readonly DiffEnd[];
  readonly families: readonly (4 | 6)[];
  readonly ports: DiffPorts;
  readonly causes: readonly DiffCause[];
}

export interface FlowList {
  readonly items: readonly Flow[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface FlowQuestion {
  /** An address, or `namespace/name` of a pod */
  readonly source: string;
  /** An address, or `namespace/name` of a pod */
  readonly destination: string;
  /** TCP, UDP, SCTP, ICMP or a number */
  readonly protocol?: string;
  /** Number, or name of a port of the destination pod */
  readonly port?: number | string;
}

/** Any JSON */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** The pod subnet of a node, as its Node object tells it */
export interface Lease {
  readonly node: string;
  readonly family: 4 | 6;
  readonly subnet: string;
  readonly publicIp?: string;
  readonly backend?: string;
  readonly faults: readonly Fault[];
}

export interface LeaseList {
  readonly items: readonly Lease[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface MissingPart {
  readonly node: string;
  /** Why, and since when its last word is */
  readonly reason: string;
}

export interface NetConf {
  readonly netConf: { readonly [name: string]: JsonValue };
}

export interface NetConfProblem {
  /** JSON Pointer into net-conf.json */
  readonly pointer: string;
  readonly detail: string;
}

export interface NetConfVerdict {
  /** False: a trial, or refused */
  readonly applied: boolean;
  /** Errors: agents keep the configuration that they have */
  readonly problems: readonly NetConfProblem[];
  readonly warnings: readonly NetConfProblem[];
  /** What nodes and pods will see, a sentence each */
  readonly effects: readonly string[];
}

export interface Node {
  readonly name: string;
  readonly state: 'ready' | 'degraded' | 'not-ready' | 'unreachable';
  readonly backend?: string;
  readonly addresses: readonly string[];
  readonly subnets: readonly string[];
  readonly agents: readonly Agent[];
  readonly podMtuBytes?: number;
  readonly peers: readonly Peer[];
}

export interface NodeList {
  readonly items: readonly NodeSummary[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

export interface NodeSummary {
  readonly name: string;
  readonly state: 'ready' | 'degraded' | 'not-ready' | 'unreachable';
  readonly backend?: string;
  readonly addresses: readonly string[];
  readonly subnets: readonly string[];
  readonly agents: readonly Agent[];
}

/** What of an object could not be read, and what follows */
export interface ObjectProblem {
  /** JSON Pointer into the request */
  readonly object: string;
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

export interface Peer {
  readonly node: string;
  readonly address: string;
  readonly via: 'vxlan' | 'direct' | 'host-gw' | 'udp';
  /** Absent when it was not tried */
  readonly reachable?: boolean;
  readonly roundTripSeconds?: number;
}

/** A pod that comes or goes: its flows are not compared */
export interface PodChange {
  readonly pod: string;
  readonly workload: string;
  readonly families: readonly (4 | 6)[];
}

export interface Policy {
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'NetworkPolicy';
  readonly directions: readonly ('ingress' | 'egress')[];
  /** Pods that it isolates */
  readonly selects: number;
  readonly problems: readonly PolicyProblem[];
  /** Of the rules that an agent counts for; absent where none does */
  readonly hits?: readonly RuleHits[];
}

export interface PolicyDiff {
  readonly opens: readonly FlowGroup[];
  readonly closes: readonly FlowGroup[];
  /** Groups that are more than an answer holds */
  readonly omitted: number;
  readonly came: readonly PodChange[];
  readonly went: readonly PodChange[];
  readonly compared: {
    readonly pods: number;
    readonly workloads: number;
    readonly families: readonly (4 | 6)[];
  };
  readonly problems: readonly ObjectProblem[];
  /** The same for people, a line a group */
  readonly words: readonly string[];
}

export interface PolicyList {
  readonly items: readonly Policy[];
  /** Cursor of the next page; absent on the last */
  readonly next?: string;
  /** True when some nodes could not be asked: see `missing` */
  readonly partial: boolean;
  readonly missing: readonly MissingPart[];
}

/** What could not be read or is too much, and what follows */
export interface PolicyProblem {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

/** application/problem+json (RFC 9457) */
export interface Problem {
  readonly type:
    | 'https://canalcni.github.io/problems/bad-request'
    | 'https://canalcni.github.io/problems/unauthenticated'
    | 'https://canalcni.github.io/problems/forbidden'
    | 'https://canalcni.github.io/problems/not-found'
    | 'https://canalcni.github.io/problems/method-not-allowed'
    | 'https://canalcni.github.io/problems/not-acceptable'
    | 'https://canalcni.github.io/problems/conflict'
    | 'https://canalcni.github.io/problems/idempotency-mismatch'
    | 'https://canalcni.github.io/problems/cursor-expired'
    | 'https://canalcni.github.io/problems/precondition-failed'
    | 'https://canalcni.github.io/problems/too-large'
    | 'https://canalcni.github.io/problems/unsupported-media-type'
    | 'https://canalcni.github.io/problems/invalid'
    | 'https://canalcni.github.io/problems/precondition-required'
    | 'https://canalcni.github.io/problems/too-many-requests'
    | 'https://canalcni.github.io/problems/internal'
    | 'https://canalcni.github.io/problems/unavailable';
  readonly title: string;
  readonly status: number;
  /** What happened, and the next step */
  readonly detail: string;
  /** Id of the request, as in the header X-Request-Id and in the log */
  readonly instance: string;
  readonly errors?: readonly FieldError[];
}

export interface RecordedEnd {
  readonly address: string;
  readonly port?: number;
  readonly pod?: Reference;
}

/** An object of a namespace */
export interface Reference {
  readonly namespace: string;
  readonly name: string;
}

export interface ReleaseRequest {
  /** Needed where two nodes hold the address */
  readonly node?: string;
  /** Another holder is refused */
  readonly containerId?: string;
}

/** Packets of new flows that the rule allowed, over all nodes that were asked: the first of each flow, and those after it until the flow is answered */
export interface RuleHits {
  readonly direction: 'ingress' | 'egress';
  /** Its place in the list; absent: what no rule of any policy allowed, at pods that this one isolates */
  readonly rule?: number;
  readonly packets: number;
  readonly bytes: number;
  /** Of the packets, those that this rule or one of others allowed: nobody can tell which */
  readonly sharedPackets?: number;
  /** The oldest start of counting among the nodes */
  readonly since: string;
}
