/** Which operations of a turn undo what others did, and which follow from a change of what is wanted. */
import { describeOperation } from '@canal/delta';
import type { NetworkOperation, NetworkState } from '@canal/model';
import { formatCidr, formatIp, formatInterfaceAddress } from 'net-types';

export interface Repair {
  /** Label of the metric: link, port, address, neighbour, proxy, fdb, nexthop, route, sysctl. */
  readonly kind: string;
  readonly text: string;
}

/**
 * `applied` is what an earlier turn brought into the kernel without a fault; absent, nothing can be called drift. What
 * was wanted just so and is written again was changed by others; what was not wanted and is removed was added by them.
 * `tried` is what a turn with faults wanted since: some of it may be there.
 */
export function findRepairs(
  operations: readonly NetworkOperation[],
  applied: NetworkState | undefined,
  tried: NetworkState | undefined,
): readonly Repair[] {
  if (applied === undefined || operations.length === 0) return [];
  const wanted = wantedObjects(applied);
  const maybeOurs = tried === undefined ? new Map() : wantedObjects(tried);
  return operations
    .filter((operation) => {
      const { key, content } = objectOf(operation);
      return content === undefined ? !wanted.has(key) && !maybeOurs.has(key) : wanted.get(key) === content;
    })
    .map((operation) => ({ kind: kindOf(operation), text: describeOperation(operation) }));
}

function kindOf(operation: NetworkOperation): string {
  return operation.type.slice(0, operation.type.indexOf('-'));
}

function wantedObjects(state: NetworkState): ReadonlyMap<string, string | undefined> {
  const operations: NetworkOperation[] = [
    ...state.links.map((link) => ({ type: 'link-add', link }) as const),
    ...state.upLinks.map((name) => ({ type: 'link-up', name }) as const),
    ...state.ports.map((port) => ({ type: 'port-set', port }) as const),
    ...state.addresses.map((address) => ({ type: 'address-add', address }) as const),
    ...state.neighbours.map((neighbour) => ({ type: 'neighbour-set', neighbour }) as const),
    ...state.proxies.map((proxy) => ({ type: 'proxy-set', proxy }) as const),
    ...state.fdb.map((entry) => ({ type: 'fdb-set', entry }) as const),
    ...state.nexthops.map((nexthop) => ({ type: 'nexthop-add', nexthop }) as const),
    ...state.routes.map((route) => ({ type: 'route-add', route }) as const),
    ...state.sysctls.map((sysctl) => ({ type: 'sysctl-set', sysctl }) as const),
  ];
  return new Map(operations.map(objectOf).map(({ key, content }) => [key, content]));
}

/** What an operation is about, and what it makes of it; a removal has no content. */
function objectOf(operation: NetworkOperation): { readonly key: string; readonly content?: string } {
  switch (operation.type) {
    case 'link-add':
    case 'link-change':
      return { key: `link ${operation.link.name}`, content: textOf(operation.link) };
    case 'link-delete':
      return { key: `link ${operation.name}` };
    case 'link-up':
      return { key: `link ${operation.name}`, content: 'up' };
    case 'port-set':
      return { key: `port ${operation.port.name}`, content: textOf(operation.port) };
    case 'address-add':
    case 'address-delete': {
      const key = `address ${operation.address.link} ${formatInterfaceAddress(operation.address.address)}`;
      return operation.type === 'address-add' ? { key, content: '' } : { key };
    }
    case 'neighbour-set':
    case 'neighbour-delete': {
      const key = `neighbour ${operation.neighbour.link} ${formatIp(operation.neighbour.ip)}`;
      return operation.type === 'neighbour-set' ? { key, content: operation.neighbour.mac } : { key };
    }
    case 'proxy-set':
    case 'proxy-delete': {
      const key = `proxy ${operation.proxy.link} ${formatIp(operation.proxy.ip)}`;
      return operation.type === 'proxy-set' ? { key, content: '' } : { key };
    }
    // One address may have several remotes: each pair is an object.
    case 'fdb-set':
    case 'fdb-delete': {
      const key = `fdb ${operation.entry.link} ${operation.entry.mac} ${formatIp(operation.entry.remote)}`;
      return operation.type === 'fdb-set' ? { key, content: '' } : { key };
    }
    case 'nexthop-add':
    case 'nexthop-replace':
      return { key: `nexthop ${operation.nexthop.id}`, content: textOf(operation.nexthop) };
    case 'nexthop-delete':
      return { key: `nexthop ${operation.id}` };
    case 'route-add':
    case 'route-replace': {
      const { destination, metric } = operation.route;
      return { key: `route ${formatCidr(destination)} ${metric}`, content: textOf(operation.route) };
    }
    case 'route-delete':
      return { key: `route ${formatCidr(operation.route.destination)} ${operation.route.metric}` };
    case 'sysctl-set': {
      const { family, link, name, value } = operation.sysctl;
      return { key: `sysctl ${family} ${link} ${name}`, content: String(value) };
    }
  }
}

function textOf(value: object): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
}
