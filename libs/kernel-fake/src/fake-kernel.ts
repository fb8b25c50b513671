import {
  type DefaultRoute,
  type InterfaceFacts,
  KernelError,
  type KernelChange,
  type KernelEvent,
  type KernelFeatures,
  type MonitorScope,
  type NetworkKernel,
  type OperationResult,
  type SnapshotScope,
} from '@canal/kernel-port';
import type {
  ActualFdbEntry,
  ActualLink,
  ActualRoute,
  ActualSysctl,
  IpPath,
  NetworkOperation,
  NetworkOperationType,
  NetworkSnapshot,
} from '@canal/model';
import { cidrContains, cidrEquals, cidrsOverlap, type InterfaceName, type Ip, ipFamily } from 'net-types';
import { EventQueue } from './event-queue.ts';
import { FakeFault } from './fake-fault.ts';
import { fdbKey, FakeTables, routeKey, sysctlKey } from './fake-tables.ts';

/** RTPROT_BOOT. */
const BOOT_PROTOCOL = 3;

/**
 * A kernel in memory: the agent's tests run against it, look into its tables, break it on purpose. Whatever is done
 * `as somebody else` is told to monitors, as a real kernel does; so are the agent's own changes.
 */
export class FakeKernel implements NetworkKernel {
  readonly tables = new FakeTables();
  /** Every operation that was performed, refused ones left out. Empty it to see what one turn writes. */
  readonly written: NetworkOperation[] = [];
  defaultRoutes: readonly DefaultRoute[] = [];
  kernelFeatures: KernelFeatures = { nexthopObjects: true, ipv6: true, sysctlWritable: true };
  snapshotsRead = 0;
  readonly #interfaces = new Map<InterfaceName, InterfaceFacts>();
  readonly #failures: { readonly type: NetworkOperationType; readonly code: string; times: number }[] = [];
  readonly #monitors = new Map<EventQueue<KernelEvent>, MonitorScope>();
  #closed = false;

  features(): Promise<KernelFeatures> {
    return this.#ask(() => this.kernelFeatures);
  }

  readSnapshot(scope: SnapshotScope): Promise<NetworkSnapshot> {
    return this.#ask(() => {
      this.snapshotsRead++;
      return snapshotOf(this.tables, scope);
    });
  }

  apply(operations: readonly NetworkOperation[], signal?: AbortSignal): Promise<readonly OperationResult[]> {
    return this.#ask(() => {
      signal?.throwIfAborted();
      const results = operations.map((operation) => this.#perform(operation));
      this.#tell(operations);
      return results;
    });
  }

  async *monitor(scope: MonitorScope, signal: AbortSignal): AsyncGenerator<KernelEvent> {
    this.#checkOpen();
    const queue = new EventQueue<KernelEvent>();
    queue.push({ type: 'resync' });
    this.#monitors.set(queue, scope);
    try {
      yield* queue.read(signal);
    } finally {
      this.#monitors.delete(queue);
    }
  }

  listInterfaces(): Promise<readonly InterfaceFacts[]> {
    return this.#ask(() => [...this.#interfaces.values()].filter(({ name }) => this.tables.links.has(name)));
  }

  listDefaultRoutes(): Promise<readonly DefaultRoute[]> {
    return this.#ask(() => this.defaultRoutes);
  }

  pathsTo(addresses: readonly Ip[]): Promise<ReadonlyMap<Ip, IpPath>> {
    return this.#ask(() => new Map(addresses.map((address) => [address, this.#pathTo(address)])));
  }

  close(): void {
    this.#closed = true;
  }

  /** An interface of the machine, with the connected networks of its addresses. */
  addInterface(facts: InterfaceFacts): void {
    const { name, up, carrier, loopback, mtuBytes, onLinkNetworks } = facts;
    this.#interfaces.set(name, facts);
    const optional = {
      ...(facts.kind === undefined ? {} : { kind: facts.kind }),
      ...(facts.mac === undefined ? {} : { mac: facts.mac }),
    };
    this.tables.links.set(name, { name, up, carrier, loopback, mtuBytes, ...optional });
    this.tables.connected.set(name, onLinkNetworks);
    this.#tellAll('link');
  }

  /** The next operations of that type are refused with that errno. */
  failNext(type: NetworkOperationType, code: string, times = 1): void {
    this.#failures.push({ type, code, times });
  }

  /** Somebody else performs operations: no failure switch applies, nothing is written down. */
  bySomebodyElse(...operations: readonly NetworkOperation[]): void {
    for (const operation of operations) this.tables.perform(operation);
    this.#tell(operations);
  }

  /** Somebody else puts something there that canal would never make. */
  putForeign(foreign: {
    readonly route?: ActualRoute;
    readonly link?: ActualLink;
    readonly fdb?: ActualFdbEntry;
    readonly sysctl?: ActualSysctl;
  }): void {
    const { route, link, fdb, sysctl } = foreign;
    if (route !== undefined) this.tables.routes.set(routeKey(route), route);
    if (link !== undefined) this.tables.links.set(link.name, link);
    if (fdb !== undefined) this.tables.fdb.set(fdbKey(fdb), fdb);
    if (sysctl !== undefined) this.tables.sysctls.set(sysctlKey(sysctl), sysctl);
    if (route !== undefined) this.#tellRoute(route);
    if (link !== undefined) this.#tellAll('link');
    if (fdb !== undefined) this.#tellAll('fdb');
    if (sysctl !== undefined) this.#tellAll('sysctl');
  }

  /** The monitors' socket overran. */
  loseEvents(): void {
    for (const queue of this.#monitors.keys()) queue.push({ type: 'resync' });
  }

  #perform(operation: NetworkOperation): OperationResult {
    const failure = this.#failures.find(({ type, times }) => type === operation.type && times > 0);
    if (failure !== undefined) {
      failure.times--;
      return { ok: false, error: { code: failure.code, message: 'asked for by failNext' } };
    }
    try {
      this.tables.perform(operation);
    } catch (error) {
      if (!(error instanceof FakeFault)) throw error;
      return { ok: false, error: { code: error.code, message: error.message } };
    }
    this.written.push(operation);
    return { ok: true };
  }

  #tell(operations: readonly NetworkOperation[]): void {
    for (const operation of operations) {
      if ('route' in operation) this.#tellRoute(operation.route);
      else this.#tellAll(changeOf(operation));
    }
  }

  #tellRoute({ protocol, destination }: Pick<ActualRoute, 'protocol' | 'destination'>): void {
    for (const [queue, { routeProtocols, networks }] of this.#monitors) {
      const ours = routeProtocols.includes(protocol);
      if (!ours && !networks.some((network) => cidrsOverlap(network, destination))) continue;
      queue.push({ type: 'changed', changes: new Set([ours ? 'route' : 'foreign-route']) });
    }
  }

  #tellAll(change: KernelChange): void {
    for (const queue of this.#monitors.keys()) queue.push({ type: 'changed', changes: new Set([change]) });
  }

  #pathTo(address: Ip): IpPath {
    const interfaces = [...this.#interfaces.values()].filter(({ name }) => this.tables.links.has(name));
    if (interfaces.some(({ addresses }) => addresses.some(({ address: own }) => own.ip === address)))
      return { type: 'local' };
    const connected = interfaces.find(({ onLinkNetworks }) =>
      onLinkNetworks.some((network) => cidrContains(network, address)),
    );
    if (connected !== undefined) return { type: 'direct', link: connected.name };
    const route = this.defaultRoutes.find(({ family }) => family === ipFamily(address));
    if (route?.gateway === undefined) return { type: 'unreachable' };
    return { type: 'gateway', link: route.link, gateway: route.gateway };
  }

  #ask<T>(question: () => T): Promise<T> {
    return Promise.try(() => {
      this.#checkOpen();
      return question();
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new KernelError('closed', 'the kernel was closed');
  }
}

function snapshotOf(tables: FakeTables, scope: SnapshotScope): NetworkSnapshot {
  const inScope = <T extends { readonly link: InterfaceName }>(entries: Iterable<T>): T[] =>
    [...entries].filter(({ link }) => scope.links(link));
  return {
    links: [...tables.links.values()],
    addresses: inScope(tables.addresses.values()),
    neighbours: inScope(tables.neighbours.values()),
    proxies: [...tables.proxies.values()],
    fdb: inScope(tables.fdb.values()),
    nexthops: [...tables.nexthops.values()],
    routes: [...tables.routes.values()].filter((route) => isInScope(route, scope)),
    sysctls: [...tables.sysctls.values()],
  };
}

function isInScope({ protocol, destination, target }: ActualRoute, scope: SnapshotScope): boolean {
  if (scope.routeProtocols.includes(protocol)) return true;
  const unmarked = protocol === BOOT_PROTOCOL && (target.type === 'gateway' || target.type === 'link');
  if (unmarked && scope.links(target.link)) return true;
  return scope.foreignDestinations?.some((wanted) => cidrEquals(wanted, destination)) === true;
}

function changeOf({ type }: NetworkOperation): KernelChange {
  const [noun] = type.split('-');
  switch (noun) {
    case 'proxy':
      return 'neighbour';
    case 'address':
    case 'neighbour':
    case 'fdb':
    case 'nexthop':
    case 'route':
    case 'sysctl':
      return noun;
    default:
      return 'link';
  }
}
