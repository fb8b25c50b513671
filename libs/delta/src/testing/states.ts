/** One device with peers, as desired state and as the snapshot of a kernel that has it: tests vary either side. */
import {
  type ActualLink,
  LINK_ALIAS,
  type NetworkSnapshot,
  type NetworkState,
  NODE_ROUTE_PROTOCOL,
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
export const name = (text: string): InterfaceName => unwrap(parseInterfaceName(text));

export const FLANNEL = name('flannel.1');
export const ETH0 = name('eth0');
export const ID = 0x0ca0_0000;

const DEVICE: VxlanLink = {
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

/** Peers by number: 10.244.<n>.0/24 behind 192.0.2.<n>, over nexthop object ID + n. */
export function desired(...peers: readonly number[]): NetworkState {
  return {
    links: [DEVICE],
    upLinks: [],
    ports: [],
    proxies: [],
    addresses: [{ link: FLANNEL, address: { ip: ip('10.244.1.0'), prefixLen: 32 } }],
    neighbours: peers.map((n) => ({ link: FLANNEL, ip: ip(`10.244.${n}.0`), mac: mac(`02:00:00:00:00:0${n}`) })),
    fdb: peers.map((n) => ({ link: FLANNEL, mac: mac(`02:00:00:00:00:0${n}`), remote: ip(`192.0.2.${n}`) })),
    nexthops: peers.map((n) => ({ id: ID + n, family: 4, link: FLANNEL, gateway: ip(`10.244.${n}.0`), onlink: true })),
    routes: peers.map((n) => ({
      protocol: NODE_ROUTE_PROTOCOL,
      destination: cidr(`10.244.${n}.0/24`),
      metric: 0,
      target: { type: 'nexthop', id: ID + n },
    })),
    sysctls: [],
  };
}

/** The kernel after a successful pass. */
export function actual(...peers: readonly number[]): NetworkSnapshot {
  const state = desired(...peers);
  return {
    links: [eth0(), deviceLink()],
    addresses: state.addresses.map((address) => ({ ...address, linkScope: false })),
    neighbours: state.neighbours,
    proxies: [],
    fdb: state.fdb,
    nexthops: state.nexthops.map(({ id, ...target }) => ({ id, protocol: NODE_ROUTE_PROTOCOL, target })),
    routes: state.routes,
    sysctls: [],
  };
}

export function eth0(): ActualLink {
  return { name: ETH0, up: true, carrier: true, loopback: false, mtuBytes: 1500, mac: mac('02:00:00:00:ee:01') };
}

export function deviceLink(
  changes: Partial<ActualLink> = {},
  vxlan: Partial<NonNullable<ActualLink['vxlan']>> = {},
): ActualLink {
  const { vni, underlay, local, port, learning, gbp } = DEVICE;
  return {
    name: FLANNEL,
    kind: 'vxlan',
    up: true,
    carrier: true,
    loopback: false,
    mtuBytes: DEVICE.mtuBytes,
    mac: DEVICE.mac,
    alias: LINK_ALIAS,
    vxlan: { vni, underlay, local, port, learning, gbp, external: false, ...vxlan },
    ...changes,
  };
}
