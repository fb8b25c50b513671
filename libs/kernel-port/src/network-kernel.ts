/**
 * What the node agent asks of the kernel's network: read it, change it, hear of changes. One namespace a kernel. Links
 * go by name; no index, file descriptor or buffer crosses this border.
 */
import type { IpPath, NetworkOperation, NetworkSnapshot } from '@canal/model';
import type { Cidr, InterfaceAddress, InterfaceName, Ip, IpFamily, Mac } from 'net-types';
import type { KernelFault } from './kernel-error.ts';

export interface NetworkKernel {
  /** Probed once a kernel object; throws KernelError when even that cannot be asked. */
  features(): Promise<KernelFeatures>;

  /** What exists now. Consistent by itself: a dump that the kernel interrupted is read again. Throws KernelError. */
  readSnapshot(scope: SnapshotScope): Promise<NetworkSnapshot>;

  /**
   * Performs the operations in order, in batches short enough that others get at the kernel in between. A failed one
   * stops none of the others: there is one result an operation, at the same place. Throws KernelError only when the
   * kernel cannot be talked to, and the signal's reason when aborted between two batches.
   */
  apply(operations: readonly NetworkOperation[], signal?: AbortSignal): Promise<readonly OperationResult[]>;

  /**
   * Tells that something changed, not what: the reader takes a snapshot. Begins with one `resync` once it listens, so
   * that nothing is missed between a first snapshot and the first event; ends when the signal aborts.
   */
  monitor(scope: MonitorScope, signal: AbortSignal): AsyncIterable<KernelEvent>;

  /** All links with their addresses, to choose the external interface by. */
  listInterfaces(): Promise<readonly InterfaceFacts[]>;

  /** Default routes of the main table; a multipath one gives an entry a link. Best metric first. */
  listDefaultRoutes(): Promise<readonly DefaultRoute[]>;

  /** How this node would send to each address; asked in batches, answered for every address. */
  pathsTo(addresses: readonly Ip[]): Promise<ReadonlyMap<Ip, IpPath>>;

  /** Closes the sockets; every later call throws KernelError. */
  close(): void;
}

export interface KernelFeatures {
  /** Nexthop objects (5.3), the cure for IPv4 route insertion being quadratic in the number of gateways. */
  readonly nexthopObjects: boolean;
  /** IPv6 is compiled in and not switched off by ipv6.disable=1. */
  readonly ipv6: boolean;
  /** Whether this process may write below /proc/sys/net; per-device IPv4 switches work without, over netlink. */
  readonly sysctlWritable: boolean;
}

export interface SnapshotScope {
  /** Links whose addresses, neighbours, forwarding entries and unmarked (boot) routes are read: ours, there or not. */
  readonly links: (name: InterfaceName) => boolean;
  /** Protocols of our routes. */
  readonly routeProtocols: readonly number[];
  /** Also read what others have at exactly these destinations: to word a conflict. Costs a walk of the whole table. */
  readonly foreignDestinations?: readonly Cidr[];
}

export interface MonitorScope {
  readonly links: (name: InterfaceName) => boolean;
  readonly routeProtocols: readonly number[];
  /** Foreign route changes are told when they overlap one of these (pod networks, the peers' underlay). */
  readonly networks: readonly Cidr[];
}

export type KernelChange = 'link' | 'address' | 'neighbour' | 'fdb' | 'nexthop' | 'route' | 'foreign-route' | 'sysctl';

export type KernelEvent =
  | { readonly type: 'changed'; readonly changes: ReadonlySet<KernelChange> }
  /** Events were lost, or none were heard yet: everything may be different. */
  | { readonly type: 'resync' };

export type OperationResult = { readonly ok: true } | { readonly ok: false; readonly error: KernelFault };

export interface InterfaceFacts {
  readonly name: InterfaceName;
  readonly kind?: string;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly loopback: boolean;
  readonly pointToPoint: boolean;
  readonly mtuBytes: number;
  readonly mac?: Mac;
  readonly addresses: readonly InterfaceAddressFacts[];
  /** Networks reached over this link without a router: its connected routes. */
  readonly onLinkNetworks: readonly Cidr[];
}

export interface InterfaceAddressFacts {
  readonly address: InterfaceAddress;
  readonly linkScope: boolean;
  /** Not from DHCP or a router advertisement with a lifetime. */
  readonly permanent: boolean;
  /** RFC 8981 privacy address: changes by the day. */
  readonly temporary: boolean;
  readonly deprecated: boolean;
  /** Duplicate detection found another owner, or has not ended. */
  readonly tentative: boolean;
}

export interface DefaultRoute {
  readonly family: IpFamily;
  readonly link: InterfaceName;
  readonly gateway?: Ip;
  readonly source?: Ip;
  readonly metric: number;
}
