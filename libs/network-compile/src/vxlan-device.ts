/** The one vxlan device of an address family: what it is called and made with. */
import { type VxlanLink, vxlanOverheadBytes } from '@canal/model';
import {
  type InterfaceName,
  type IpFamily,
  parseInterfaceName,
  parsePort,
  type Port,
  unwrap,
  type Vni,
} from 'net-types';
import type { BackendContext, UsablePeer } from './backend.ts';
import { deriveVtepMac } from './vtep-mac.ts';

/** Linux' own default (IANA's 4789 came later), which flannel keeps. */
const DEFAULT_PORT: Port = unwrap(parsePort('8472'));

/**
 * `flannel.1`, `flannel-v6.1`: the names that flannel's users and its peers' firewalls know. undefined when the VNI
 * makes the name longer than the kernel's 15 bytes (above 9999999, for IPv6 above 9999).
 */
export function vxlanDeviceName(vni: Vni, family: IpFamily): InterfaceName | undefined {
  const name = parseInterfaceName(`${family === 4 ? 'flannel.' : 'flannel-v6.'}${vni}`);
  return name.ok ? name.value : undefined;
}

/**
 * net-conf's VNI, or, when this node has another backend and serves peers that still announce vxlan, the one that most
 * of them announce. undefined when none of them gives one.
 */
export function vxlanVni(context: BackendContext, peers: readonly UsablePeer[]): Vni | undefined {
  if (context.conf.backend.type === 'vxlan') return context.conf.backend.vni;
  const votes = new Map<Vni, number>();
  for (const { endpoint } of peers) {
    if (endpoint.vtep !== undefined) votes.set(endpoint.vtep.vni, (votes.get(endpoint.vtep.vni) ?? 0) + 1);
  }
  const ranking = [...votes].sort(([vniA, votesA], [vniB, votesB]) => votesB - votesA || vniA - vniB);
  return ranking[0]?.[0];
}

/** The device as it has to be. */
export function vxlanDevice(context: BackendContext, vni: Vni, name: InterfaceName): VxlanLink {
  const { own, conf, kernel } = context;
  const settings = conf.backend.type === 'vxlan' ? conf.backend : undefined;
  return {
    kind: 'vxlan',
    name,
    vni,
    underlay: own.link,
    local: own.source,
    port: settings?.port ?? kernel.vxlanPorts?.get(vni) ?? DEFAULT_PORT,
    learning: settings?.learning ?? false,
    gbp: settings?.gbp ?? false,
    // The kernel refuses a device larger than its interface allows, so a larger MTU in net-conf.json cannot be had.
    mtuBytes: Math.min(settings?.mtuBytes ?? own.linkMtuBytes, own.linkMtuBytes) - vxlanOverheadBytes(own.family),
    mac: own.vtepMac ?? deriveVtepMac(context.nodeName, vni, own.family),
  };
}
