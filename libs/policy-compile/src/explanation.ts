/** Why a flow passes or does not, as data that prints as JSON: what `canalctl policy explain` and flow records show. */
import type { Direction } from '@canal/rules-ast';

export interface FlowQuestion {
  /** An address as text, or `namespace/name` of a pod. */
  readonly source: string;
  readonly destination: string;
  /** `TCP`, `udp`, `sctp`, `icmp`, or an IP protocol number. */
  readonly protocol: string;
  /** Of TCP, UDP and SCTP, and of nothing else. A port name is that of the destination pod. */
  readonly port?: number | string;
}

/** Why a question has no answer. */
export interface QuestionProblem {
  /** `not-found`: a pod or a port name that is not there; the question itself is well put. */
  readonly code: 'bad-request' | 'not-found';
  readonly field: keyof FlowQuestion;
  /** Names the value, and what is expected or what there is. */
  readonly message: string;
}

export interface Explanation {
  readonly verdict: 'allow' | 'deny';
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly protocol: string;
  readonly port?: number;
  /** Egress at the source. Absent when the source is no pod that policy can select. Also told of pods of other nodes. */
  readonly egress?: EndVerdict;
  /** Ingress at the destination, likewise. */
  readonly ingress?: EndVerdict;
  /** One sentence a line, for people. */
  readonly words: readonly string[];
}

export interface FlowEnd {
  readonly address: string;
  /** Absent too when the runtime did not say which pod it is. */
  readonly pod?: { readonly namespace: string; readonly name: string };
  /** `host`: a node or a pod on its node's network; `outside`: nothing that is known. */
  readonly kind: 'pod' | 'host' | 'outside';
}

export interface EndVerdict {
  readonly direction: Direction;
  readonly verdict: 'allow' | 'deny';
  readonly reason:
    /** No policy selects the pod for this direction. */
    | 'not-isolated'
    | 'allowed-by-rule'
    | 'no-rule-allows'
    /** All that the policies allow the pod is more than a chain of rules may hold: it is let nothing through. */
    | 'too-many-rules'
    /** From the pod's own node. */
    | 'own-node'
    /** A pod to itself. */
    | 'same-pod'
    /** The pod's endpoint is not known from the API. */
    | 'unknown-pod'
    /** Another endpoint of the node has an address of the pod's endpoint. */
    | 'address-taken';
  /** `namespace/name` of the policies that select the pod for this direction. */
  readonly policies: readonly string[];
  /** The first rule that allows, in the order of namespace, name, index. */
  readonly rule?: RuleReference;
  /** For a denial: each rule that was asked and what of it did not match. */
  readonly misses: readonly RuleMiss[];
}

export interface RuleReference {
  readonly policy: string;
  readonly index: number;
}

export interface RuleMiss extends RuleReference {
  readonly missed: 'peer' | 'port' | 'peer-and-port';
}
