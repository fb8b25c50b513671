/** Reads one table of the kernel, whole, and nothing of any other. */
import {
  findNftChain,
  findNftTable,
  getNftGeneration,
  listNftChains,
  listNftRules,
  type NetlinkConnection,
  NFPROTO,
  type NftChain,
  nftRuleText,
} from 'netlink-ts';
import { hookImage, type TableImage } from './nft-table-image.ts';

/** How often a reading that somebody's transaction came in between is begun anew. */
const ATTEMPTS = 5;

/**
 * The table with the chains that it has, undefined when there is none. `chainNames` are those that it should have: they
 * are asked for by name, because the kernel lists chains only for all tables together, and others have thousands.
 */
export function readTable(
  connection: NetlinkConnection,
  name: string,
  chainNames: readonly string[],
): TableImage | undefined {
  for (let attempt = 1; ; attempt++) {
    const before = getNftGeneration(connection);
    const image = readOnce(connection, name, chainNames);
    // Any transaction counts the generation up, also one of other tables. In the end a reading with one in between is
    // good enough: if it was ours that changed an event follows, and the table is read again.
    if (attempt === ATTEMPTS || getNftGeneration(connection) === before) return image;
  }
}

function readOnce(connection: NetlinkConnection, name: string, chainNames: readonly string[]): TableImage | undefined {
  const family = NFPROTO.INET;
  const table = findNftTable(connection, { family, name });
  if (table === undefined) return undefined;
  const use = table.use ?? 0;
  let chains = chainNames.flatMap((chain) => findNftChain(connection, { family, table: name, name: chain }) ?? []);
  if (use > chains.length) chains = listNftChains(connection, family).filter((chain) => chain.table === name);
  const rules = Map.groupBy(listNftRules(connection, { family, table: name }), ({ chain }) => chain);
  return {
    flags: table.flags ?? 0,
    otherObjects: Math.max(0, use - chains.length),
    chains: chains.map((chain: NftChain) => ({
      name: chain.name ?? '',
      hook: hookImage(chain),
      rules: (rules.get(chain.name) ?? []).map(nftRuleText),
    })),
  };
}
