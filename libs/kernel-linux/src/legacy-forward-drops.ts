/** Drops of forwarded packets in iptables-legacy, whose rules nf_tables does not know of. It tells nobody of changes. */
import type { ForwardDrop } from '@canal/kernel-port';
import { type NetnsRef, readLegacyTable } from '@canal/linux-ffi';
import { type Cidr, cidrFamily } from 'net-types';
import { NF_INET } from 'netlink-ts';
import { DOCKER_USER, forwardDrops } from './forward-drops.ts';
import { legacyBaseChain, legacyChainNames } from './legacy-rules.ts';

const TABLE = 'filter';

/** Throws LinuxError. */
export function findLegacyForwardDrops(networks: readonly Cidr[], netns: NetnsRef | undefined): ForwardDrop[] {
  return networks.flatMap((network) => {
    const family = cidrFamily(network);
    const table = readLegacyTable(family, TABLE, netns);
    if (table === undefined) return [];
    const base = legacyBaseChain(family, table, NF_INET.FORWARD, 'FORWARD');
    if (base === undefined) return [];
    const hasDockerUser = legacyChainNames(family, table).includes(DOCKER_USER);
    return forwardDrops(
      base,
      { family: family === 4 ? 'legacy-ip' : 'legacy-ip6', table: TABLE, hasDockerUser },
      network,
    );
  });
}
