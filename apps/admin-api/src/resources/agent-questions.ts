/**
 * What nodes are asked, and how their answers are read. Agents may be older or newer than this API: fields that are not
 * known are passed over, an item of a list that cannot be read costs that item alone and is counted, and what comes is
 * never taken on trust.
 */
import type { NodeRequest, QuestionMessage } from '@canal/agent-protocol';
import {
  type Explanation,
  explanation,
  type Flow,
  ipAddress,
  ipPrefix,
  objectName,
  port,
  protocol,
  qualifiedName,
  time,
} from '@canal/admin-schema';
import type { AgentName } from '@canal/node-api';
import * as z from 'zod';
import { boundedText } from './bounded-text.ts';
import { lenient } from './lenient-schema.ts';

export interface AgentQuestion<T> {
  readonly agent: AgentName;
  readonly request: NodeRequest;
  /** Not shared with others who ask: the asker shares what it makes of the answers. */
  readonly isAlone?: boolean;
  /** Throws ZodError. */
  readonly read: (value: unknown) => T;
}

/** A list without the items that could not be read. */
export interface ReadList<T> {
  readonly items: readonly T[];
  readonly unread: number;
  /** Of the first of them. */
  readonly why?: string;
}

const MAX_ITEMS = 20_000;
const MAX_NOTES = 50;

const text = (maxLength: number): z.ZodType<string> => z.string().transform((full) => boundedText(full, maxLength));
const reference = z.object({ namespace: objectName, name: objectName });
const count = z.int().min(0);
const interfaceName = z.string().min(1).max(15);

function list<T>(schema: z.ZodType<T>): (value: unknown) => ReadList<T> {
  return (value) => {
    const all = z.array(z.unknown()).parse(value);
    const items: T[] = [];
    let why: string | undefined;
    for (const item of all.slice(0, MAX_ITEMS)) {
      const parsed = schema.safeParse(item);
      if (parsed.success) items.push(parsed.data);
      else why ??= firstIssue(parsed.error);
    }
    const unread = all.length - items.length;
    if (unread === 0) return { items, unread };
    return { items, unread, why: why ?? `they are more than ${MAX_ITEMS}` };
  };
}

/** Where, and what was expected. */
export function firstIssue({ issues }: z.ZodError): string {
  const [issue] = issues;
  if (issue === undefined) return 'nothing is told';
  const where = issue.path.length === 0 ? 'the value' : issue.path.map(String).join('.');
  return boundedText(`${where}: ${issue.message}`, 200);
}

const status = {
  version: text(64),
  node: z.string(),
  ready: z.boolean(),
  notes: z.array(text(1024)).transform((notes) => notes.slice(0, MAX_NOTES)),
  lastSync: time.optional(),
};

const networkStatus = z.object({
  ...status,
  backend: text(64).optional(),
  podMtuBytes: z.int().positive().optional(),
  addresses: z.array(ipAddress).max(64),
  leases: z.array(z.object({ family: z.union([z.literal(4), z.literal(6)]), subnet: ipPrefix })).max(16),
});
export type NetworkStatus = z.infer<typeof networkStatus>;

export const NETWORK_STATUS: AgentQuestion<NetworkStatus> = {
  agent: 'flanneld',
  request: { op: 'network-status' },
  read: (value) => networkStatus.parse(value),
};

const policyStatus = z.object({ ...status, strict: z.boolean(), counts: z.record(text(64), count) });
export type PolicyAgentStatus = z.infer<typeof policyStatus>;

export const POLICY_AGENT_STATUS: AgentQuestion<PolicyAgentStatus> = {
  agent: 'policy-agent',
  request: { op: 'status' },
  read: (value) => policyStatus.parse(value),
};

const peer = z.object({
  node: objectName,
  address: ipAddress,
  via: z.enum(['vxlan', 'direct', 'host-gw', 'udp']),
  reachable: z.boolean().optional(),
  roundTripSeconds: z.number().min(0).optional(),
});
type Peer = z.infer<typeof peer>;

export const PEERS: AgentQuestion<ReadList<Peer>> = {
  agent: 'flanneld',
  request: { op: 'peers' },
  read: list(peer),
};

const pool = z.object({ subnet: ipPrefix, capacity: z.string().regex(/^\d{1,39}$/), inUse: count, leaked: count });
const address = z.object({
  address: ipAddress,
  state: z.enum(['in-use', 'leaked']),
  containerId: z.string().min(1).max(128).optional(),
  interface: interfaceName.optional(),
  pod: reference.optional(),
  since: time.optional(),
  releasable: z.boolean().optional(),
});
const addresses = z.object({ pools: z.unknown(), addresses: z.unknown() });

export interface Addresses {
  readonly pools: ReadList<z.infer<typeof pool>>;
  readonly addresses: ReadList<z.infer<typeof address>>;
}

export const ADDRESSES: AgentQuestion<Addresses> = {
  agent: 'flanneld',
  request: { op: 'addresses' },
  read: (value) => {
    const lists = addresses.parse(value);
    return { pools: list(pool)(lists.pools), addresses: list(address)(lists.addresses) };
  },
};

const endpoint = z.object({
  key: z.string().min(1).max(256),
  hostInterface: interfaceName,
  addresses: z.array(ipAddress).max(64),
  pod: reference.optional(),
  state: z.enum(['policed', 'unknown-pod', 'address-taken']),
  ingress: z.array(qualifiedName),
  egress: z.array(qualifiedName),
});
type AgentEndpoint = z.infer<typeof endpoint>;

export const ENDPOINTS: AgentQuestion<ReadList<AgentEndpoint>> = {
  agent: 'policy-agent',
  request: { op: 'endpoints' },
  read: list(endpoint),
};

const policyState = z.object({
  policy: qualifiedName,
  localEndpoints: count,
  problems: z
    .array(z.object({ code: text(64), field: text(256), message: text(1024) }))
    .transform((problems) => problems.slice(0, 100)),
});
export type PolicyState = z.infer<typeof policyState>;

export const POLICIES: AgentQuestion<ReadList<PolicyState>> = {
  agent: 'policy-agent',
  request: { op: 'policies' },
  // Of a thousand nodes that know a thousand policies they would be a million.
  isAlone: true,
  read: list(policyState),
};

const ruleCount = z.object({
  policy: qualifiedName,
  uid: text(64),
  direction: z.enum(['ingress', 'egress']),
  rule: count.optional(),
  packets: count,
  bytes: count,
  sharedPackets: count,
  since: time,
});
export type RuleCount = z.infer<typeof ruleCount>;

export const COUNTERS: AgentQuestion<ReadList<RuleCount>> = {
  agent: 'policy-agent',
  request: { op: 'counters' },
  isAlone: true,
  read: list(ruleCount),
};

const rule = z.object({ policy: qualifiedName, index: count });

const told = lenient(explanation);

export function explainQuestion(question: QuestionMessage): AgentQuestion<Explanation> {
  return {
    agent: 'policy-agent',
    request: { op: 'explain', question },
    read: (value) => told.parse(value),
  };
}

const recordedEnd = z.object({ address: text(64), port: port.optional(), pod: reference.optional() });
const flowRecord: z.ZodType<Omit<Flow, 'node'>> = z.object({
  time,
  verdict: z.enum(['allow', 'deny']),
  reason: text(64),
  direction: z.enum(['ingress', 'egress']).optional(),
  source: recordedEnd,
  destination: recordedEnd,
  protocol,
  rule: rule.optional(),
  isolatedBy: z.array(qualifiedName).max(1_000).optional(),
  lost: count,
});

/** A line of flows: the record, or what is wrong with it. */
export type FlowLine =
  { readonly ok: true; readonly record: Omit<Flow, 'node'> } | { readonly ok: false; readonly why: string };

/** The newest, oldest first; then, with `follow`, those to come. Its lines are not read: see readFlowLine. */
export function flowsQuestion(last: number, denied: boolean, follow: boolean): AgentQuestion<unknown> {
  return { agent: 'policy-agent', request: { op: 'flows', follow, last, denied }, read: (value) => value };
}

/** Costs 20 microseconds: of ten thousand lines of a node a page needs a hundred. */
export function readFlowLine(value: unknown): FlowLine {
  const parsed = flowRecord.safeParse(value);
  return parsed.success ? { ok: true, record: parsed.data } : { ok: false, why: firstIssue(parsed.error) };
}
