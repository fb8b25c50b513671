/**
 * Which operations of a pass undo what others did, and which follow from a change of what is wanted: the former would be
 * due even if what the pass before wanted were wanted still.
 */
import { describeOperation, diffNetwork, type NetworkDiff } from '@canal/delta';
import type { NetworkOperation, NetworkSnapshot, NetworkState } from '@canal/model';
import { formatCidr, formatInterfaceAddress, formatIp } from 'net-types';

export interface Repair {
  /** Label of the metric: link, port, address, neighbour, proxy, fdb, nexthop, route, sysctl. */
  readonly kind: string;
  readonly text: string;
}

/** Told of every pass over one kernel, in their order. */
export interface Drift {
  /** Before the operations are performed: if that breaks off, what became of them is not known. */
  planned(desired: NetworkState, actual: NetworkSnapshot, plan: NetworkDiff, inSync: boolean): void;
  /** What the kernel took of them, and what it refused. */
  performed(taken: readonly NetworkOperation[], refused: readonly NetworkOperation[]): readonly Repair[];
}

export function createDrift(): Drift {
  return new DriftOfPasses();
}

class DriftOfPasses implements Drift {
  /** What the last pass wanted; absent until one was in sync: nothing can be called drift before. */
  #desired: NetworkState | undefined;
  /** Keys of objects that are not known to be as that pass wanted them. */
  #open = new Set<string>();
  /** Those operations among the open ones, by object and content, that others made necessary. */
  #byOthers = new Set<string>();

  planned(desired: NetworkState, actual: NetworkSnapshot, plan: NetworkDiff, inSync: boolean): void {
    const due = [...plan.operations, ...plan.withheld];
    const byOthers = new Set([...this.#byOthers, ...this.#changedByOthers(due, actual)]);
    this.#desired = inSync ? desired : undefined;
    this.#open = new Set(due.map(keyOf));
    this.#byOthers = new Set(due.map(identityOf).filter((identity) => byOthers.has(identity)));
  }

  performed(taken: readonly NetworkOperation[], refused: readonly NetworkOperation[]): readonly Repair[] {
    // Keyed, because one object may take two operations: a device that is made anew.
    const refusedKeys = new Set(refused.map(keyOf));
    // What is on a device that is not right yet may be due again with it.
    const isSettled = !refused.some((operation) => kindOf(operation) === 'link');
    const repaired = new Map<string, NetworkOperation>();
    for (const operation of taken) {
      const key = keyOf(operation);
      if (refusedKeys.has(key)) continue;
      if (isSettled) this.#open.delete(key);
      if (this.#byOthers.delete(identityOf(operation))) repaired.set(key, operation);
    }
    return [...repaired.values()].map((operation) => ({ kind: kindOf(operation), text: describeOperation(operation) }));
  }

  #changedByOthers(due: readonly NetworkOperation[], actual: NetworkSnapshot): readonly string[] {
    if (this.#desired === undefined || due.length === 0) return [];
    const { operations, withheld } = diffNetwork(this.#desired, actual, { inSync: true });
    return [...operations, ...withheld].filter((operation) => !this.#open.has(keyOf(operation))).map(identityOf);
  }
}

function kindOf(operation: NetworkOperation): string {
  return operation.type.slice(0, operation.type.indexOf('-'));
}

function keyOf(operation: NetworkOperation): string {
  return objectOf(operation).key;
}

/** Two operations with one identity make the same of the same object, from whatever it was. */
function identityOf(operation: NetworkOperation): string {
  const { key, content } = objectOf(operation);
  return content === undefined ? `${key} gone` : `${key} is ${content}`;
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
      return { key: `state ${operation.name}`, content: 'up' };
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
