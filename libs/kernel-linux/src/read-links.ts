/** Links and their switches, from one listing. */
import type { ActualLink, ActualSysctl, ActualVxlan, SysctlName } from '@canal/model';
import { type InterfaceName, type IpFamily, isIpv4 } from 'net-types';
import { IFF, IPV4_DEVCONF, type Link, type VxlanData } from 'netlink-ts';
import { linkName, type LinkNames } from './link-names.ts';

export function toActualLink(link: Link, names: LinkNames): ActualLink | undefined {
  const name = linkName(link);
  if (name === undefined) return undefined;
  const { kind, vxlan, bridgePort } = link.info ?? {};
  const isolated = bridgePort?.isolated;
  return {
    name,
    up: (link.flags & IFF.UP) !== 0,
    carrier: (link.flags & IFF.LOWER_UP) !== 0,
    loopback: (link.flags & IFF.LOOPBACK) !== 0,
    mtuBytes: link.mtu ?? 0,
    ...(kind !== undefined && { kind }),
    ...(link.address !== undefined && { mac: link.address }),
    ...(link.alias !== undefined && { alias: link.alias }),
    ...(isolated !== undefined && { isolated }),
    ...(kind === 'vxlan' && vxlan !== undefined && { vxlan: toActualVxlan(vxlan, names) }),
  };
}

function toActualVxlan(vxlan: VxlanData, names: LinkNames): ActualVxlan {
  const underlay = names.nameOf(vxlan.link);
  // Without an address the kernel says nothing or 0.0.0.0: any source of the outgoing device.
  const local = vxlan.local6 ?? vxlan.local;
  const given = local !== undefined && (isIpv4(local) ? local !== 0 : local !== 0n);
  return {
    vni: vxlan.id ?? 0,
    port: vxlan.port ?? 0,
    learning: vxlan.learning ?? true,
    gbp: vxlan.gbp ?? false,
    external: vxlan.collectMetadata ?? false,
    ...(underlay !== undefined && { underlay }),
    ...(given && { local }),
  };
}

/** Position in the kernel's array of IPv6 switches (linux/ipv6.h, DEVCONF_*). */
const IPV6_DEVCONF = { forwarding: 0, accept_ra: 3, proxy_ndp: 22, disable_ipv6: 26 } as const;

/** The switches of one device. A link listing carries them, so no file is read. */
export function toActualSysctls(link: Link): ActualSysctl[] {
  const name = linkName(link);
  if (name === undefined) return [];
  const ipv4 = link.afSpec?.inet?.conf;
  const ipv6 = link.afSpec?.inet6?.conf;
  return [
    ...sysctl(name, 4, 'forwarding', ipv4?.[IPV4_DEVCONF.FORWARDING]),
    ...sysctl(name, 4, 'rp_filter', ipv4?.[IPV4_DEVCONF.RP_FILTER]),
    ...sysctl(name, 4, 'proxy_arp', ipv4?.[IPV4_DEVCONF.PROXY_ARP]),
    ...sysctl(name, 4, 'proxy_arp_pvlan', ipv4?.[IPV4_DEVCONF.PROXY_ARP_PVLAN]),
    ...sysctl(name, 4, 'send_redirects', ipv4?.[IPV4_DEVCONF.SEND_REDIRECTS]),
    ...sysctl(name, 6, 'forwarding', wordAt(ipv6, IPV6_DEVCONF.forwarding)),
    ...sysctl(name, 6, 'accept_ra', wordAt(ipv6, IPV6_DEVCONF.accept_ra)),
    ...sysctl(name, 6, 'proxy_ndp', wordAt(ipv6, IPV6_DEVCONF.proxy_ndp)),
    ...sysctl(name, 6, 'disable_ipv6', wordAt(ipv6, IPV6_DEVCONF.disable_ipv6)),
  ];
}

function sysctl(link: InterfaceName, family: IpFamily, name: SysctlName, value: number | undefined): ActualSysctl[] {
  return value === undefined ? [] : [{ link, family, name, value }];
}

/** 32-bit words in host order, which is little-endian on every machine that Bun runs on. */
function wordAt(bytes: Uint8Array | undefined, position: number): number | undefined {
  if (bytes === undefined || bytes.length < 4 * position + 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(4 * position, true);
}
