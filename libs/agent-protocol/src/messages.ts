/**
 * What is said on the policy agent's unix socket: one request a connection, as one line of JSON, answered with one line
 * or, when it asks to follow, with lines until either side closes. Text only; whoever reads an address parses it.
 */

/** Root alone may connect (mode 0600, and the peer's uid is asked). */
export const DEFAULT_POLICY_SOCKET = '/run/canal/policy.sock';

/** sun_path of unix(7) without its closing NUL byte: longer paths cannot be connected to. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** Longest request, in bytes: longer ones are answered with `bad-request`. */
export const MAX_REQUEST_BYTES = 65_536;

export type AgentRequest =
  /** Answered when the endpoint's rules are in the kernel. Repeating it is harmless. */
  | { readonly op: 'add-endpoint'; readonly endpoint: EndpointMessage }
  /** Answered at once; the plugin does not wait for the answer. */
  | { readonly op: 'delete-endpoint'; readonly key: string }
  | { readonly op: 'status' }
  | { readonly op: 'endpoints' }
  | { readonly op: 'policies' }
  | { readonly op: 'counters' }
  | { readonly op: 'explain'; readonly question: QuestionMessage }
  /** The newest `last` records, oldest first; `follow` goes on with those to come. */
  | { readonly op: 'flows'; readonly follow: boolean; readonly last: number; readonly denied: boolean };

export interface EndpointMessage {
  readonly containerId: string;
  readonly containerInterface: string;
  readonly hostInterface: string;
  readonly mode: 'routed' | 'bridge';
  readonly addresses: readonly string[];
  readonly mac: string;
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid: string };
}

export interface QuestionMessage {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port?: number | string;
}

/** A line of an answer. `value` is as the op says: see docs/policy-agent.md. */
export type AgentAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: AgentErrorCode; readonly message: string };

export type AgentErrorCode =
  /** Unknown op, bad field, too long. */
  | 'bad-request'
  /** A question names what is not there. */
  | 'not-found'
  /** Not in sync with the kernel yet: try again. */
  | 'not-ready'
  /** The kernel refused the rules: nothing of the endpoint is in force but its isolation. */
  | 'kernel'
  | 'internal';

/** One verdict, joined with pods and policies as far as they are known. */
export interface FlowRecord {
  /** ISO 8601 with milliseconds. */
  readonly time: string;
  readonly verdict: 'allow' | 'deny';
  /** As VerdictReason of the kernel port. */
  readonly reason: string;
  readonly direction?: 'ingress' | 'egress';
  readonly source: FlowEndMessage;
  readonly destination: FlowEndMessage;
  /** `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, or a number. */
  readonly protocol: string;
  /** The rule that allowed: `namespace/name` and its place in the list. */
  readonly rule?: { readonly policy: string; readonly index: number };
  /** Of a denial: the policies that isolate the pod. */
  readonly isolatedBy?: readonly string[];
  /** Records lost before this one. */
  readonly lost: number;
}

export interface FlowEndMessage {
  readonly address: string;
  readonly port?: number;
  readonly pod?: { readonly namespace: string; readonly name: string };
}
