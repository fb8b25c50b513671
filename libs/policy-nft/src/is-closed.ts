/** Whether a pod that nobody told of is isolated by what is in the kernel now. */
import type { NetlinkConnection } from 'netlink-ts';
import { CHAIN } from './chain-names.ts';
import { readTable } from './read-table.ts';
import { staticTables } from './static-tables.ts';
import { actualHookText, hookText } from './table-image.ts';
import { isSame } from './table-plan.ts';

/** Chains that say something else with each guard. They only add to what the others drop. */
const OF_GUARD: readonly string[] = [CHAIN.tunnelInput, CHAIN.sample];

export function isClosed(connection: NetlinkConnection): boolean {
  return staticTables({ nodeAddresses: [], tunnelPorts: [], allowSample: 0 }).every(({ family, chains }) => {
    const actual = readTable(connection, family);
    if (actual === undefined || actual.flags !== 0) return false;
    return chains.every((chain) => {
      const found = actual.chains.get(chain.name);
      if (found === undefined || actualHookText(found) !== hookText(chain.hook)) return false;
      return OF_GUARD.includes(chain.name) || isSame(chain, actual.rules.get(chain.name) ?? []);
    });
  });
}
