/** What an administrator can do against a drop of forwarded packets, as commands for this network. */
import { type Cidr, cidrFamily, formatCidr } from 'net-types';

export interface ForwardDropPlace {
  readonly family: string;
  readonly table: string;
  readonly base: string;
  readonly network: Cidr;
  /** Docker's chain for rules of the administrator is there. */
  readonly hasDockerUser: boolean;
}

export function forwardCure({ family, table, base, network, hasDockerUser }: ForwardDropPlace): string {
  const cidr = formatCidr(network);
  const isIpv4 = cidrFamily(network) === 4;
  if (table === 'firewalld') {
    return `firewall-cmd --permanent --zone=trusted --add-source=${cidr} && firewall-cmd --reload`;
  }
  if (family !== 'inet' && table === 'filter' && base === 'FORWARD') {
    const iptables = `${isIpv4 ? 'iptables' : 'ip6tables'}${family.startsWith('legacy') ? '-legacy' : ''}`;
    const chain = hasDockerUser ? 'DOCKER-USER' : 'FORWARD';
    const rules = `${iptables} -I ${chain} -s ${cidr} -j ACCEPT && ${iptables} -I ${chain} -d ${cidr} -j ACCEPT`;
    return hasDockerUser ? `${rules} (or, from Docker 28 on, "ip-forward-no-drop": true in daemon.json)` : rules;
  }
  const ip = isIpv4 ? 'ip' : 'ip6';
  const rule = (side: string): string => `nft insert rule ${family} ${table} ${base} ${ip} ${side} ${cidr} accept`;
  return `${rule('saddr')} && ${rule('daddr')}`;
}
