/** Whether a pod that nobody told of is isolated by what is in the kernel now. */
import type { NetlinkConnection } from 'netlink-ts';
import type { Mac } from 'net-types';
import { CHAIN } from './chain-names.ts';
import type { KernelFamilies } from './kernel-families.ts';
import { readTable } from './read-table.ts';
import { type StaticInputs, staticTables } from './static-tables.ts';
import { actualHookText, type ChainImage, hookText } from './table-image.ts';
import { type ActualTable, isSame } from './table-plan.ts';

/** Chains that say something else with each guard. They only add to what the others drop. */
const OF_GUARD: readonly string[] = [CHAIN.tunnelInput, CHAIN.sample];

/** `gateway`: MAC of the bridge, where there is one. */
export function isClosed(
  connection: NetlinkConnection,
  { gateway, families }: Pick<StaticInputs, 'gateway' | 'families'>,
): boolean {
  const isThere = (table: ActualTable | undefined): table is ActualTable => table?.flags === 0;
  const actual = new Map(
    tablesFor(gateway, families).map(({ family }) => [family, readTable(connection, family)] as const),
  );
  // The agent that wrote the rules may have done so before there was a bridge, which comes with its first pod.
  return [gateway, undefined].some((mac) =>
    tablesFor(mac, families).every(({ family, chains }) => {
      const table = actual.get(family);
      return isThere(table) && chains.every((chain) => isSameChain(chain, table));
    }),
  );
}

function tablesFor(gateway: Mac | undefined, families: KernelFamilies): ReturnType<typeof staticTables> {
  return staticTables({ guard: { nodeAddresses: [], tunnelPorts: [], allowSample: 0 }, gateway, families });
}

function isSameChain(chain: ChainImage, table: ActualTable): boolean {
  const found = table.chains.get(chain.name);
  if (found === undefined || actualHookText(found) !== hookText(chain.hook)) return false;
  return OF_GUARD.includes(chain.name) || isSame(chain, table.rules.get(chain.name) ?? []);
}
