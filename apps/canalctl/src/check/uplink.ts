/** The interface that carries traffic between nodes, and how large packets of pods may be by it. */
import type { DefaultRoute, InterfaceFacts } from '@canal/kernel-port';
import { minimumMtuBytes, vxlanOverheadBytes } from '@canal/model';
import { ipFamily, type IpFamily } from 'net-types';
import { type Observation, ok, trouble } from './observation.ts';

export interface UplinkFacts {
  readonly interfaces: readonly InterfaceFacts[];
  /** Best first. */
  readonly defaultRoutes: readonly DefaultRoute[];
  /** By interface: the VRF that it is in. */
  readonly vrfs: ReadonlyMap<string, string>;
}

export interface UplinkOptions {
  readonly iface: string | undefined;
  readonly backend: 'vxlan' | 'host-gw';
}

export function judgeUplink(facts: UplinkFacts, { iface, backend }: UplinkOptions): readonly Observation[] {
  const what = 'interface to the other nodes';
  const best = facts.defaultRoutes.find(({ family }) => family === 4) ?? facts.defaultRoutes[0];
  const name = iface ?? best?.link;
  const link = facts.interfaces.find((one) => one.name === name);
  if (name === undefined || link === undefined) {
    const found = name === undefined ? 'none: there is no default route' : `${name} is not there`;
    const names = facts.interfaces.filter(({ loopback }) => !loopback).map((one) => one.name);
    const next = `name one with --iface here, and with "iface" in the ConfigMap canal-config; there are ${names.join(', ') || 'none'}`;
    return [trouble('fail', { id: 'interface', what, found }, 'the node agent would not know by what to send', next)];
  }
  const vrf = facts.vrfs.get(name);
  const isUp = link.up && link.carrier;
  const thing = { id: 'interface', what, found: isUp ? name : `${name}, which is down` };
  const chosen =
    vrf !== undefined
      ? trouble(
          'fail',
          { ...thing, found: `${name}, in VRF ${vrf}` },
          'canal writes its routes to the main table, and packets of a VRF do not ask it',
          'take the interface out of the VRF, or name another with --iface',
        )
      : isUp
        ? ok(thing.id, thing.what, thing.found)
        : trouble('fail', thing, 'no packet leaves by it', `"ip link set ${name} up", or name another with --iface`);
  return [chosen, judgeMtu(link, outerFamily(link, best, iface), backend)];
}

/** The family that tunnels take: IPv4 where the node has it. */
function outerFamily(link: InterfaceFacts, best: DefaultRoute | undefined, iface: string | undefined): IpFamily {
  const hasIpv4 = link.addresses.some(({ address }) => ipFamily(address.ip) === 4);
  return iface === undefined ? (best?.family ?? 4) : hasIpv4 ? 4 : 6;
}

function judgeMtu({ name, mtuBytes }: InterfaceFacts, outer: IpFamily, backend: 'vxlan' | 'host-gw'): Observation {
  const ofPods = backend === 'vxlan' ? mtuBytes - vxlanOverheadBytes(outer) : mtuBytes;
  const thing = { id: 'mtu', what: 'MTU', found: `${mtuBytes} of ${name}, pods get ${ofPods}` };
  const next = `give ${name} a larger one (1500 as a rule), or all nodes the same Backend.MTU`;
  const [least, leastOfIpv6] = [minimumMtuBytes(4), minimumMtuBytes(6)];
  if (ofPods < least) return trouble('fail', thing, `below ${least} IPv4 does not work`, next);
  if (ofPods < leastOfIpv6) return trouble('warn', thing, `below ${leastOfIpv6} pods have no IPv6`, next);
  return ok(thing.id, thing.what, thing.found);
}
