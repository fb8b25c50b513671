/** Drops of forwarded packets in nf_tables: nft, iptables-nft, and with them firewalld and Docker. */
import type { ForwardDrop } from '@canal/kernel-port';
import { type Cidr, cidrFamily, type IpFamily } from 'net-types';
import {
  findNftTable,
  listNftChains,
  listNftRules,
  type NetlinkConnection,
  NFPROTO,
  NFT_TABLE_F,
  NFT_VERDICT,
  type NftChain,
  type NftRule,
} from 'netlink-ts';
import { DOCKER_USER, forwardDrops } from './forward-drops.ts';
import { familyName, filtersForwarding } from './nft-forward-chains.ts';

/** `ownTables`, of family inet, are passed over. Throws NetlinkError. */
export function findNftForwardDrops(
  connection: NetlinkConnection,
  networks: readonly Cidr[],
  ownTables: readonly string[],
): ForwardDrop[] {
  return [NFPROTO.IPV4, NFPROTO.IPV6, NFPROTO.INET].flatMap((family) => {
    const chains = listNftChains(connection, family);
    const bases = chains.filter((chain) => filtersForwarding(chain) && !isOwn(chain, ownTables));
    return bases
      .filter((chain) => isAwake(connection, chain))
      .flatMap((chain) => dropsOf(connection, chain, chains, networks));
  });
}

function isOwn({ family, table = '' }: NftChain, ownTables: readonly string[]): boolean {
  return family === NFPROTO.INET && ownTables.includes(table);
}

function isAwake(connection: NetlinkConnection, { family, table = '' }: NftChain): boolean {
  const found = findNftTable(connection, { family, name: table });
  return found !== undefined && ((found.flags ?? 0) & NFT_TABLE_F.DORMANT) === 0;
}

function dropsOf(
  connection: NetlinkConnection,
  base: NftChain,
  chains: readonly NftChain[],
  networks: readonly Cidr[],
): ForwardDrop[] {
  const { family, table = '', name = '', policy } = base;
  const rulesOf = rulesByChain(connection, family, table);
  const baseChain = { name, policy: policy === NFT_VERDICT.DROP ? 'drop' : 'accept', rulesOf } as const;
  const hasDockerUser = chains.some((chain) => chain.table === table && chain.name === DOCKER_USER);
  const place = { family: familyName(family), table, hasDockerUser };
  return networks
    .filter((network) => seesFamily(family, cidrFamily(network)))
    .flatMap((network) => forwardDrops(baseChain, place, network));
}

function seesFamily(tableFamily: number, family: IpFamily): boolean {
  return tableFamily === NFPROTO.INET || tableFamily === (family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6);
}

/** Rules are asked for when a packet gets to their chain: tables of others have thousands that none of ours sees. */
function rulesByChain(
  connection: NetlinkConnection,
  family: number,
  table: string,
): (chain: string) => readonly NftRule[] {
  const known = new Map<string, readonly NftRule[]>();
  return (chain) => {
    const rules = known.get(chain) ?? listNftRules(connection, { family, table, chain });
    known.set(chain, rules);
    return rules;
  };
}
