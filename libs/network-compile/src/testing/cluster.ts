/** Builders of compile inputs: a three-node cluster that tests vary. */
import type { IpPath, NetConf, Peer, PeerEndpoint, VxlanConf } from '@canal/model';
import {
  type Cidr,
  type InterfaceName,
  type Ip,
  type Mac,
  parseCidr,
  parseCidr4,
  parseCidr6,
  parseInterfaceName,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  unwrap,
} from 'net-types';
import type { CompileInput, OwnFamily } from '../compile-input.ts';

export const ip = (text: string): Ip => unwrap(parseIp(text));
export const cidr = (text: string): Cidr => unwrap(parseCidr(text));
export const mac = (text: string): Mac => unwrap(parseMac(text));
export const link = (text: string): InterfaceName => unwrap(parseInterfaceName(text));

export const VXLAN: VxlanConf = {
  type: 'vxlan',
  vni: unwrap(parseVni('1')),
  port: unwrap(parsePort('8472')),
  gbp: false,
  learning: false,
  directRouting: false,
};

export const OWN4: OwnFamily = {
  family: 4,
  link: link('eth0'),
  linkMtuBytes: 1500,
  source: ip('192.0.2.1'),
  onLinkNetworks: [cidr('192.0.2.0/24')],
  publicIp: ip('192.0.2.1'),
  subnet: cidr('10.244.1.0/24'),
  vtepMac: mac('02:00:00:00:00:01'),
};

export const OWN6: OwnFamily = {
  family: 6,
  link: link('eth0'),
  linkMtuBytes: 1500,
  source: ip('2001:db8::1'),
  onLinkNetworks: [cidr('2001:db8::/64')],
  publicIp: ip('2001:db8::1'),
  subnet: cidr('fd00:10:244:1::/64'),
  vtepMac: mac('02:00:00:00:06:01'),
};

export function conf(changes: Partial<NetConf> = {}): NetConf {
  return {
    network: unwrap(parseCidr4('10.244.0.0/16')),
    ipv6Network: unwrap(parseCidr6('fd00:10:244::/48')),
    enableIpv4: true,
    enableIpv6: true,
    backend: VXLAN,
    ...changes,
  };
}

/** Endpoint of node `number`, 2..255: 192.0.2.<number>, 10.244.<number>.0/24. */
export function endpoint4(number: number, changes: Partial<PeerEndpoint> = {}): PeerEndpoint {
  const hex = number.toString(16).padStart(2, '0');
  return {
    family: 4,
    publicIp: ip(`192.0.2.${number}`),
    subnet: cidr(`10.244.${number}.0/24`),
    vtep: { vni: VXLAN.vni, mac: mac(`02:00:00:00:00:${hex}`) },
    ...changes,
  };
}

export function endpoint6(number: number, changes: Partial<PeerEndpoint> = {}): PeerEndpoint {
  const hex = number.toString(16).padStart(2, '0');
  return {
    family: 6,
    publicIp: ip(`2001:db8::${hex}`),
    subnet: cidr(`fd00:10:244:${hex}::/64`),
    vtep: { vni: VXLAN.vni, mac: mac(`02:00:00:00:06:${hex}`) },
    ...changes,
  };
}

export function peer(number: number, changes: Partial<Peer> = {}): Peer {
  return { name: `node-${number}`, backendType: 'vxlan', endpoints: [endpoint4(number)], ...changes };
}

export function dualPeer(number: number, changes: Partial<Peer> = {}): Peer {
  return peer(number, { endpoints: [endpoint4(number), endpoint6(number)], ...changes });
}

export interface InputChanges extends Partial<Omit<CompileInput, 'node' | 'paths'>> {
  readonly families?: readonly OwnFamily[];
  readonly ownAddresses?: readonly Ip[];
  readonly paths?: Readonly<Record<string, IpPath>>;
}

export function input(changes: InputChanges = {}): CompileInput {
  const families = changes.families ?? [OWN4];
  return {
    node: { name: 'node-1', families, ownAddresses: changes.ownAddresses ?? families.map(({ source }) => source) },
    conf: changes.conf ?? conf(),
    peers: changes.peers ?? [peer(2), peer(3)],
    paths: new Map(Object.entries(changes.paths ?? {}).map(([text, path]) => [ip(text), path])),
    kernel: changes.kernel ?? { nexthopObjects: false, ipv6: true },
  };
}
