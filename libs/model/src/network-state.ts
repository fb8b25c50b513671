/**
 * Desired state of a node's network, as plain data: what network-compile gives and what kernel-port applies. Links are
 * named, never numbered: the adapter finds the index at apply time.
 */
import type { Cidr, InterfaceAddress, InterfaceName, Ip, IpFamily, Mac, Port, Vni } from 'net-types';

/** A vxlan device with fixed remote entries (no learning unless asked). Always up, always marked with LINK_ALIAS. */
export interface VxlanLink {
  readonly kind: 'vxlan';
  readonly name: InterfaceName;
  readonly vni: Vni;
  /** Device the encapsulated packets leave by. */
  readonly underlay: InterfaceName;
  /** Source address of encapsulated packets; its family is the outer family. */
  readonly local: Ip;
  readonly port: Port;
  readonly learning: boolean;
  readonly gbp: boolean;
  readonly mtuBytes: number;
  readonly mac: Mac;
}

export type DesiredLink = VxlanLink;

export interface DesiredAddress {
  readonly link: InterfaceName;
  readonly address: InterfaceAddress;
}

/** A permanent neighbour entry (ARP or ND). */
export interface DesiredNeighbour {
  readonly link: InterfaceName;
  readonly ip: Ip;
  readonly mac: Mac;
}

/** A neighbour that this node answers for on the link: an NTF_PROXY entry, marked with POD_ROUTE_PROTOCOL. */
export interface DesiredProxy {
  readonly link: InterfaceName;
  readonly ip: Ip;
}

/** A port of a bridge. Isolated ports exchange no frames with each other. */
export interface DesiredPort {
  readonly name: InterfaceName;
  readonly isolated: boolean;
}

/** A permanent forwarding entry of a vxlan device: frames to `mac` go to `remote`. */
export interface DesiredFdbEntry {
  readonly link: InterfaceName;
  readonly mac: Mac;
  readonly remote: Ip;
}

/** A nexthop object (kernel >= 5.3) of canal's id range. */
export interface DesiredNexthop {
  readonly id: number;
  readonly family: IpFamily;
  readonly link: InterfaceName;
  readonly gateway: Ip;
  /** The gateway is reachable although no connected route covers it. */
  readonly onlink: boolean;
}

export type RouteTarget =
  | { readonly type: 'nexthop'; readonly id: number }
  | { readonly type: 'gateway'; readonly gateway: Ip; readonly link: InterfaceName; readonly onlink: boolean }
  | { readonly type: 'link'; readonly link: InterfaceName }
  | { readonly type: 'blackhole' };

/** A route of the main table. */
export interface DesiredRoute {
  /** rtm_protocol: NODE_ROUTE_PROTOCOL or POD_ROUTE_PROTOCOL. */
  readonly protocol: number;
  readonly destination: Cidr;
  /** RTA_PRIORITY as the kernel stores it: IPv6 has no 0, its default is 1024 (IP6_RT_PRIO_USER). */
  readonly metric: number;
  readonly target: RouteTarget;
  /** RTA_PREFSRC: what this node's own sockets answer from when they are bound to no address. Absent: any is right. */
  readonly source?: Ip;
}

/** A switch under /proc/sys/net/ipv4|ipv6/conf/<link>/ (proxy_delay: neigh/<link>/) that pod traffic depends on. */
export interface DesiredSysctl {
  /** 'all' stands for conf/all: net.ipv4.ip_forward is conf/all/forwarding of IPv4. */
  readonly link: InterfaceName | 'all';
  readonly family: IpFamily;
  readonly name: SysctlName;
  readonly value: number;
  /** Values beside `value` that serve as well, and are left as they are. */
  readonly acceptable?: readonly number[];
  /** false: the device is the administrator's; a difference is reported with its cure and never written. */
  readonly enforce: boolean;
}

export type SysctlName =
  | 'forwarding'
  | 'rp_filter'
  | 'accept_ra'
  | 'disable_ipv6'
  | 'proxy_arp'
  | 'proxy_arp_pvlan'
  | 'send_redirects'
  | 'proxy_ndp'
  /** Hundredths of a second, at most: how long a node thinks before it answers for another. */
  | 'proxy_delay';

export interface NetworkState {
  readonly links: readonly DesiredLink[];
  /** Devices that somebody else of ours made and that have to be up while they exist: host ends of pods. */
  readonly upLinks: readonly InterfaceName[];
  /** Host ends of pods on a bridge, as long as they are its ports. */
  readonly ports: readonly DesiredPort[];
  readonly addresses: readonly DesiredAddress[];
  readonly neighbours: readonly DesiredNeighbour[];
  readonly proxies: readonly DesiredProxy[];
  readonly fdb: readonly DesiredFdbEntry[];
  readonly nexthops: readonly DesiredNexthop[];
  readonly routes: readonly DesiredRoute[];
  readonly sysctls: readonly DesiredSysctl[];
}
