/** A state in the words of iproute2, one line an object: what goldens are written in. */
import type { NetworkState } from '@canal/model';
import { formatCidr, formatInterfaceAddress, formatIp } from 'net-types';

export function show(state: NetworkState): string[] {
  const gateways = new Map(state.nexthops.map((nexthop) => [nexthop.id, nexthop]));
  return [
    ...state.links.map(
      (link) =>
        `link ${link.name} vxlan id ${link.vni} dev ${link.underlay} local ${formatIp(link.local)} dstport ${link.port}` +
        ` mtu ${link.mtuBytes} address ${link.mac}${link.learning ? ' learning' : ''}${link.gbp ? ' gbp' : ''}`,
    ),
    ...state.upLinks.map((name) => `link ${name} up`),
    ...state.ports.map(({ name, isolated }) => `port ${name} isolated ${isolated ? 'on' : 'off'}`),
    ...state.addresses.map(({ link, address }) => `addr ${formatInterfaceAddress(address)} dev ${link}`),
    ...state.neighbours.map(({ link, ip, mac }) => `neigh ${formatIp(ip)} lladdr ${mac} dev ${link}`),
    ...state.proxies.map(({ link, ip }) => `neigh proxy ${formatIp(ip)} dev ${link}`),
    ...state.fdb.map(({ link, mac, remote }) => `fdb ${mac} dst ${formatIp(remote)} dev ${link}`),
    ...state.routes.map((route) => {
      const metric = route.metric === 0 || route.metric === 1024 ? '' : ` metric ${route.metric}`;
      const text = `route ${formatCidr(route.destination)}`;
      const target = route.target;
      if (target.type === 'nexthop') {
        const nexthop = gateways.get(target.id);
        if (nexthop === undefined) return `${text} nhid dangling`;
        return `${text} nhid via ${formatIp(nexthop.gateway)} dev ${nexthop.link}${nexthop.onlink ? ' onlink' : ''}${metric}`;
      }
      if (target.type === 'gateway') {
        return `${text} via ${formatIp(target.gateway)} dev ${target.link}${target.onlink ? ' onlink' : ''}${metric}`;
      }
      const source = route.source === undefined ? '' : ` src ${formatIp(route.source)}`;
      return target.type === 'link' ? `${text} dev ${target.link}${source}${metric}` : `${text} blackhole${metric}`;
    }),
    ...state.sysctls.map(
      ({ link, family, name, value, enforce }) =>
        `sysctl ipv${family} ${link} ${name}=${value}${enforce ? '' : ' (report)'}`,
    ),
  ];
}
