/** Reads one table of policy, whole, and nothing of any other. */
import {
  findNftTable,
  listNftChains,
  listNftCounters,
  listNftElements,
  listNftRules,
  listNftSets,
  type NetlinkConnection,
  NFPROTO,
} from 'netlink-ts';
import { TABLE } from './static-tables.ts';
import type { ActualTable } from './table-plan.ts';

/** Undefined when there is none. Elements are read when asked for. */
export function readTable(connection: NetlinkConnection, family: number): ActualTable | undefined {
  const table = findNftTable(connection, { family, name: TABLE });
  if (table === undefined) return undefined;
  // The kernel lists chains for all tables together.
  const chains = listNftChains(connection, family).filter((chain) => chain.table === TABLE);
  const sets = listNftSets(connection, { family, table: TABLE });
  const counters = family === NFPROTO.INET ? listNftCounters(connection, { family, table: TABLE }) : [];
  return {
    flags: table.flags ?? 0,
    otherObjects: Math.max(0, (table.use ?? 0) - chains.length - sets.length - counters.length),
    chains: new Map(chains.map((chain) => [chain.name ?? '', chain])),
    counters: new Map(counters.map((counter) => [counter.name, counter])),
    sets: new Map(sets.map((set) => [set.name ?? '', set])),
    rules: Map.groupBy(listNftRules(connection, { family, table: TABLE }), ({ chain }) => chain ?? ''),
    elements: (name) => listNftElements(connection, { family, table: TABLE, name }),
  };
}
