/** The objects that the contract is about. */
import type { MonitorScope, SnapshotScope } from '@canal/kernel-port';
import {
  type DesiredNexthop,
  type DesiredRoute,
  NEXTHOP_ID_FIRST,
  NODE_ROUTE_PROTOCOL,
  POD_ROUTE_PROTOCOL,
  type RouteTarget,
  type VxlanLink,
} from '@canal/model';
import {
  type Cidr,
  type InterfaceName,
  type Ip,
  type Mac,
  parseCidr,
  parseInterfaceName,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  unwrap,
} from 'net-types';

export const ip = (text: string): Ip => unwrap(parseIp(text));
export const cidr = (text: string): Cidr => unwrap(parseCidr(text));
export const mac = (text: string): Mac => unwrap(parseMac(text));
const name = (text: string): InterfaceName => unwrap(parseInterfaceName(text));

export const ETH0 = name('eth0');
export const ETH1 = name('eth1');
export const FLANNEL = name('flannel.1');
export const FLANNEL6 = name('flannel-v6.1');
export const ABSENT = name('absent0');

export const VXLAN: VxlanLink = {
  kind: 'vxlan',
  name: FLANNEL,
  vni: unwrap(parseVni('1')),
  underlay: ETH0,
  local: ip('192.0.2.1'),
  port: unwrap(parsePort('8472')),
  learning: false,
  gbp: false,
  mtuBytes: 1450,
  mac: mac('02:00:00:00:00:01'),
};

export const VXLAN6: VxlanLink = {
  ...VXLAN,
  name: FLANNEL6,
  local: ip('2001:db8::1'),
  mtuBytes: 1430,
  mac: mac('02:00:00:00:06:01'),
};

const PEER_MAC = mac('02:00:00:00:00:02');
export const OTHER_MAC = mac('02:00:00:00:00:03');

export const NEXTHOP: DesiredNexthop = {
  id: NEXTHOP_ID_FIRST + 7,
  family: 4,
  link: FLANNEL,
  gateway: ip('10.244.2.0'),
  onlink: true,
};

export function route(destination: string, target: RouteTarget, changes: Partial<DesiredRoute> = {}): DesiredRoute {
  const metric = destination.includes(':') ? 1024 : 0;
  return { protocol: NODE_ROUTE_PROTOCOL, destination: cidr(destination), metric, target, ...changes };
}

export function over(gateway: string, link: InterfaceName, onlink: boolean): RouteTarget {
  return { type: 'gateway', gateway: ip(gateway), link, onlink };
}

export const BASE = { link: FLANNEL, address: { ip: ip('10.244.1.0'), prefixLen: 32 } } as const;
export const BASE6 = { link: FLANNEL6, address: { ip: ip('fd00:10:244:1::'), prefixLen: 128 } } as const;
export const NEIGHBOUR = { link: FLANNEL, ip: ip('10.244.2.0'), mac: PEER_MAC } as const;
export const NEIGHBOUR6 = { link: FLANNEL6, ip: ip('fd00:10:244:2::'), mac: PEER_MAC } as const;
export const FDB = { link: FLANNEL, mac: PEER_MAC, remote: ip('192.0.2.2') } as const;
export const FDB6 = { link: FLANNEL6, mac: PEER_MAC, remote: ip('2001:db8::2') } as const;
export const OVER_OBJECT = { type: 'nexthop', id: NEXTHOP.id } as const;
export const BLACKHOLE = { type: 'blackhole' } as const;
export const WORST_METRIC = 0xffff_ffff;

const OURS = new Set([FLANNEL, FLANNEL6]);

export const SCOPE: SnapshotScope = {
  links: (link) => OURS.has(link),
  routeProtocols: [NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL],
};

export const MONITOR_SCOPE: MonitorScope = { ...SCOPE, networks: [cidr('10.244.0.0/16')] };
