/** Each kind of `get`: where it is read, and how it is shown. */
import type {
  AddressAssignment,
  AddressPool,
  AdminClient,
  AuditRecord,
  ClusterEvent,
  Endpoint,
  Lease,
  MissingPart,
  NetConf,
  NodeSummary,
  Policy,
} from '@canal/admin-client';
import type { AdminRole } from '../admin/admin-flags.ts';
import type { ListColumn, ListView } from '../output/render-list.ts';
import type { Kind } from './kind-words.ts';
import { safeJson } from '../printable.ts';

export interface Filter {
  readonly namespace?: string;
  readonly node?: string;
}

export interface ShownKind {
  readonly role: AdminRole;
  readonly isNamespaced: boolean;
  readonly filters: readonly (keyof Filter)[];
  readonly view: ListView<unknown>;
  readonly read: (client: AdminClient, signal: AbortSignal, query: Filter) => Promise<Read<unknown>>;
  /** Where the API has an operation for one of them. */
  readonly readOne: ((client: AdminClient, signal: AbortSignal, name: string) => Promise<unknown>) | undefined;
  readonly isNamed: (item: unknown, wanted: { readonly namespace?: string; readonly name: string }) => boolean;
}

interface Read<T> {
  readonly items: readonly T[];
  readonly missing: readonly MissingPart[];
}

interface KindOf<T> {
  readonly role?: AdminRole;
  readonly filters?: readonly (keyof Filter)[];
  readonly columns: readonly ListColumn<T>[];
  readonly name: (item: T) => string;
  readonly namespace?: (item: T) => string | undefined;
  readonly read: (client: AdminClient, signal: AbortSignal, query: Filter) => Promise<Read<T>>;
  readonly readOne?: (client: AdminClient, signal: AbortSignal, name: string) => Promise<T>;
}

function kindOf<T>({ role = 'view', filters = [], columns, name, namespace, read, readOne }: KindOf<T>): ShownKind {
  const nameOf = (item: T): string => {
    const of = namespace?.(item);
    return of === undefined ? name(item) : `${of}/${name(item)}`;
  };
  const view: ListView<T> = { columns, name: nameOf, value: (item) => item };
  return {
    role,
    isNamespaced: namespace !== undefined,
    filters,
    // What is read is what is shown.
    view: view as ListView<unknown>,
    read,
    readOne,
    isNamed: (item, wanted) =>
      name(item as T) === wanted.name &&
      (wanted.namespace === undefined || namespace?.(item as T) === wanted.namespace),
  };
}

const list = (values: readonly string[] | undefined): string =>
  values === undefined || values.length === 0 ? '-' : values.join(', ');

const qualified = (pod: { readonly namespace: string; readonly name: string } | undefined): string =>
  pod === undefined ? '-' : `${pod.namespace}/${pod.name}`;

const NODES = kindOf<NodeSummary>({
  columns: [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'BACKEND', cell: ({ backend }) => backend ?? '-' },
    { title: 'ADDRESSES', cell: ({ addresses }) => list(addresses) },
    { title: 'SUBNETS', cell: ({ subnets }) => list(subnets) },
    { title: 'AGENTS', wide: true, cell: ({ agents }) => list(agents.map(({ name, state }) => `${name} ${state}`)) },
    { title: 'VERSION', wide: true, cell: ({ agents }) => list([...new Set(agents.map((one) => one.version ?? '?'))]) },
  ],
  name: ({ name }) => name,
  read: (client, signal) => client.list('listNodes', signal),
  readOne: async (client, signal, name) => (await client.call('getNode', signal, { path: { name } })).body,
});

const LEASES = kindOf<Lease>({
  columns: [
    { title: 'SUBNET', cell: ({ subnet }) => subnet },
    { title: 'NODE', cell: ({ node }) => node },
    { title: 'PUBLIC IP', cell: ({ publicIp }) => publicIp ?? '-' },
    { title: 'BACKEND', cell: ({ backend }) => backend ?? '-' },
    { title: 'FAULTS', cell: ({ faults }) => list(faults.map(({ message }) => message)) },
  ],
  name: ({ subnet }) => subnet,
  read: (client, signal) => client.list('listLeases', signal),
});

const POLICIES = kindOf<Policy>({
  filters: ['namespace'],
  columns: [
    { title: 'NAMESPACE', cell: ({ namespace }) => namespace },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'ISOLATES FOR', cell: ({ directions }) => list(directions) },
    { title: 'PODS', cell: ({ selects }) => String(selects) },
    { title: 'DENIED', cell: ({ hits }) => deniedBy(hits) },
    { title: 'PROBLEMS', cell: ({ problems }) => String(problems.length) },
    { title: 'ALLOWED BY RULE', wide: true, cell: ({ hits }) => allowedBy(hits) },
    { title: 'WHAT', wide: true, cell: ({ problems }) => list(problems.map(({ message }) => message)) },
  ],
  name: ({ name }) => name,
  namespace: ({ namespace }) => namespace,
  read: (client, signal, { namespace }) => client.list('listPolicies', signal, { query: { namespace } }),
});

/** Packets of new flows that no rule allowed, at pods that the policy isolates. */
function deniedBy(hits: Policy['hits']): string {
  const denied = hits?.filter(({ rule }) => rule === undefined) ?? [];
  return denied.length === 0 ? '-' : String(denied.reduce((all, { packets }) => all + packets, 0));
}

/** Those that each rule allowed: `2-5` where three of five may be others'. Several may have counted the same packet: no sum. */
function allowedBy(hits: Policy['hits'] = []): string {
  const texts = hits.map(({ direction, rule, packets, sharedPackets = 0 }) => {
    const least = sharedPackets === 0 ? '' : `${packets - sharedPackets}-`;
    return rule === undefined ? [] : `${direction}[${rule}]: ${least}${packets}`;
  });
  return list(texts.flat());
}

const ENDPOINTS = kindOf<Endpoint>({
  filters: ['namespace', 'node'],
  columns: [
    { title: 'NODE', cell: ({ node }) => node },
    { title: 'POD', cell: ({ pod }) => qualified(pod) },
    { title: 'ADDRESSES', cell: ({ addresses }) => list(addresses) },
    { title: 'INTERFACE', cell: (endpoint) => endpoint.interface },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'INGRESS ISOLATED BY', wide: true, cell: ({ ingress }) => list(ingress) },
    { title: 'EGRESS ISOLATED BY', wide: true, cell: ({ egress }) => list(egress) },
  ],
  name: (endpoint) => endpoint.pod?.name ?? endpoint.interface,
  namespace: ({ pod }) => pod?.namespace,
  read: (client, signal, query) => client.list('listEndpoints', signal, { query }),
});

const POOLS = kindOf<AddressPool>({
  filters: ['node'],
  columns: [
    { title: 'NODE', cell: ({ node }) => node },
    { title: 'CIDR', cell: ({ subnet }) => subnet },
    { title: 'IPS TOTAL', cell: ({ capacity }) => capacity },
    { title: 'IPS IN USE', cell: ({ inUse }) => String(inUse) },
    { title: 'LEAKED', cell: ({ leaked }) => String(leaked) },
  ],
  name: ({ subnet }) => subnet,
  read: (client, signal, { node }) => client.list('listAddressPools', signal, { query: { node } }),
});

const ADDRESSES = kindOf<AddressAssignment>({
  filters: ['node'],
  columns: [
    { title: 'IP', cell: ({ address }) => address },
    { title: 'NODE', cell: ({ node }) => node },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'POD', cell: ({ pod }) => qualified(pod) },
    { title: 'SINCE', wide: true, cell: ({ since }) => since ?? '-' },
  ],
  name: ({ address }) => address,
  read: (client, signal, { node }) => client.list('listAddresses', signal, { query: { node } }),
});

const EVENTS = kindOf<ClusterEvent>({
  filters: ['namespace'],
  columns: [
    { title: 'TIME', cell: ({ time }) => time },
    { title: 'TYPE', cell: ({ type }) => type },
    { title: 'REASON', cell: ({ reason }) => reason },
    { title: 'OBJECT', cell: ({ object }) => object },
    { title: 'NODE', wide: true, cell: ({ node }) => node ?? '-' },
    { title: 'MESSAGE', cell: ({ message }) => message },
  ],
  name: ({ object }) => object,
  read: (client, signal, { namespace }) => client.list('listEvents', signal, { query: { namespace } }),
});

const AUDIT = kindOf<AuditRecord>({
  role: 'admin',
  columns: [
    { title: 'TIME', cell: ({ time }) => time },
    { title: 'USER', cell: ({ user }) => user },
    { title: 'OPERATION', cell: ({ operation, dryRun }) => (dryRun ? `${operation} (dry run)` : operation) },
    { title: 'OBJECT', cell: ({ object }) => object },
    { title: 'STATUS', cell: ({ status }) => String(status) },
    { title: 'CHANGES', cell: ({ changes }) => list(changes) },
    { title: 'REQUEST', wide: true, cell: ({ requestId }) => requestId },
  ],
  name: ({ requestId }) => requestId,
  read: (client, signal) => client.list('listAuditRecords', signal),
});

const NET_CONF = kindOf<NetConf['netConf']>({
  columns: [
    { title: 'NETWORK', cell: ({ Network }) => text(Network) },
    { title: 'IPV6 NETWORK', cell: ({ IPv6Network }) => text(IPv6Network) },
    { title: 'BACKEND', cell: ({ Backend }) => text(Backend) },
  ],
  name: () => 'net-conf',
  read: async (client, signal) => ({
    items: [(await client.call('getNetConf', signal)).body.netConf],
    missing: [],
  }),
});

function text(value: unknown): string {
  if (value === undefined) return '-';
  return typeof value === 'string' ? value : safeJson(value, 0);
}

export const KINDS: Readonly<Record<Kind, ShownKind>> = {
  nodes: NODES,
  leases: LEASES,
  networkpolicies: POLICIES,
  endpoints: ENDPOINTS,
  ippools: POOLS,
  addresses: ADDRESSES,
  events: EVENTS,
  audit: AUDIT,
  'net-conf': NET_CONF,
};
