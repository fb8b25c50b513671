/**
 * What agents tell of their node to whoever may read: root over a unix socket, the admin API over TLS. Nothing here
 * changes anything. Requests are those of the policy agent's socket that only read, and those of the node agent.
 */
import type { AgentRequest } from './messages.ts';

/** Of the policy agent. */
export type PolicyQuestion = Exclude<AgentRequest, { readonly op: 'add-endpoint' | 'delete-endpoint' }>;

/** Of the node agent (flanneld). */
export type NetworkQuestion =
  /** Answered with NetworkStatusMessage. */
  | { readonly op: 'network-status' }
  /** Answered with a list of PeerMessage, in the order of names. */
  | { readonly op: 'peers' }
  /** Answered with AddressesMessage. */
  | { readonly op: 'addresses' };

export type NodeRequest = PolicyQuestion | NetworkQuestion;

export const NODE_AGENT_SOCKET = '/run/canal/flanneld.sock';

/**
 * Beside the policy agent's socket: PEM of the authority that has signed what it shows over TLS, for the node agent to
 * publish. Absent while it shows nothing.
 */
export const POLICY_AUTHORITY_FILE = 'policy-agent-authority.pem';

/** Whom a token must be made for, to be shown to agents. */
export const NODE_API_AUDIENCE = 'canal-node-api';

export interface NetworkStatusMessage {
  readonly version: string;
  readonly node: string;
  readonly ready: boolean;
  /** Why it is not ready, and what else is wrong: each with cause and next step. */
  readonly notes: readonly string[];
  /** ISO 8601 with milliseconds: when the kernel was last as wanted. */
  readonly lastSync?: string;
  readonly backend?: string;
  readonly podMtuBytes?: number;
  readonly addresses: readonly string[];
  readonly leases: readonly { readonly family: 4 | 6; readonly subnet: string }[];
}

export interface PeerMessage {
  readonly node: string;
  /** Of the underlay. */
  readonly address: string;
  readonly via: 'vxlan' | 'direct' | 'host-gw' | 'udp';
  /** Absent: not tried yet. */
  readonly reachable?: boolean;
  readonly roundTripSeconds?: number;
}

export interface AddressesMessage {
  readonly pools: readonly AddressPoolMessage[];
  readonly addresses: readonly AddressMessage[];
}

export interface AddressPoolMessage {
  readonly subnet: string;
  /** Decimal: more than JSON numbers hold, with IPv6. */
  readonly capacity: string;
  readonly inUse: number;
  readonly leaked: number;
}

export interface AddressMessage {
  readonly address: string;
  readonly state: 'in-use' | 'leaked';
  /** Of a leaked one: it is gone for sure, and can be released on demand. Older agents do not say. */
  readonly releasable?: true;
  /** Absent, as the interface is, where the file of the address names nobody. */
  readonly containerId?: string;
  readonly interface?: string;
  readonly pod?: { readonly namespace: string; readonly name: string };
  /** ISO 8601 with milliseconds. */
  readonly since?: string;
}
