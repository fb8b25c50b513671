/**
 * What the kernel has, as read back: the part of it that the desired state speaks of. Plain data without indices, so
 * that a snapshot can be compared, printed and faked.
 */
import type { Cidr, InterfaceAddress, InterfaceName, Ip, IpFamily, Mac } from 'net-types';
import type { RouteTarget, SysctlName } from './network-state.ts';

export interface ActualLink {
  readonly name: InterfaceName;
  /** rtnetlink's kind, such as vxlan, veth or bridge; absent for hardware and loopback. */
  readonly kind?: string;
  /** IFF_UP: switched on by the administrator. */
  readonly up: boolean;
  /** IFF_LOWER_UP: the other end is there. */
  readonly carrier: boolean;
  readonly loopback: boolean;
  readonly mtuBytes: number;
  readonly mac?: Mac;
  /** IFLA_IFALIAS; LINK_ALIAS on devices that canal made or took over. */
  readonly alias?: string;
  readonly vxlan?: ActualVxlan;
  /** Of a port of a bridge: whether it is isolated from other such ports. */
  readonly isolated?: boolean;
}

export interface ActualVxlan {
  readonly vni: number;
  readonly underlay?: InterfaceName;
  readonly local?: Ip;
  readonly port: number;
  readonly learning: boolean;
  readonly gbp: boolean;
  /** Takes its VNI from each packet's metadata (collect_md): never ours. */
  readonly external: boolean;
}

/** An address of a link in the snapshot's scope. */
export interface ActualAddress {
  readonly link: InterfaceName;
  readonly address: InterfaceAddress;
  /** rtnetlink scope "link": fe80::/10 and 169.254/16 of the kernel's own making. */
  readonly linkScope: boolean;
}

/** A permanent neighbour entry; others come and go by themselves and are not read. */
export interface ActualNeighbour {
  readonly link: InterfaceName;
  readonly ip: Ip;
  readonly mac: Mac;
}

/** An NTF_PROXY entry, on any link: the mark tells whose it is. */
export interface ActualProxy {
  readonly link: InterfaceName;
  readonly ip: Ip;
  /** NDA_PROTOCOL; 0 when nobody said. */
  readonly protocol: number;
}

/** A permanent forwarding entry. One MAC may have several remotes when somebody appended one. */
export interface ActualFdbEntry {
  readonly link: InterfaceName;
  readonly mac: Mac;
  readonly remote: Ip;
}

/** A nexthop object with an id in canal's range, or of canal's protocol. */
export interface ActualNexthop {
  readonly id: number;
  readonly protocol: number;
  /** Absent for groups, blackholes and forms that canal never makes. */
  readonly target?: {
    readonly family: IpFamily;
    readonly link: InterfaceName;
    readonly gateway: Ip;
    readonly onlink: boolean;
  };
}

export interface ActualRoute {
  readonly protocol: number;
  readonly destination: Cidr;
  readonly metric: number;
  readonly target: RouteTarget | OtherTarget;
  readonly source?: Ip;
}

/** A form that canal never makes: told in the words of `ip route`, and the links it leaves by. */
export interface OtherTarget {
  readonly type: 'other';
  readonly text: string;
  readonly links: readonly InterfaceName[];
}

export interface ActualSysctl {
  readonly link: InterfaceName | 'all';
  readonly family: IpFamily;
  readonly name: SysctlName;
  readonly value: number;
}

export interface NetworkSnapshot {
  /** All links of the namespace. */
  readonly links: readonly ActualLink[];
  readonly addresses: readonly ActualAddress[];
  readonly neighbours: readonly ActualNeighbour[];
  readonly proxies: readonly ActualProxy[];
  readonly fdb: readonly ActualFdbEntry[];
  readonly nexthops: readonly ActualNexthop[];
  /** Main table: routes of canal's protocols, unmarked (boot) ones over links in scope, others that the scope asks for. */
  readonly routes: readonly ActualRoute[];
  /** Of every link and of conf/all, proxy_delay of the bridge alone; one that the kernel does not have is missing. */
  readonly sysctls: readonly ActualSysctl[];
}
