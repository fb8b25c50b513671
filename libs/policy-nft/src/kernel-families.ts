/** Which families of nf_tables this kernel has beside inet, without which there is no policy. */
import { POLICY_NFT_TABLE } from '@canal/model';
import {
  changeNftables,
  isNotFound,
  isNotSupported,
  listNftChains,
  type NetlinkConnection,
  newNftChain,
  newNftTable,
  NFPROTO,
  NFT_TABLE_F,
} from 'netlink-ts';

export interface KernelFamilies {
  readonly arp: boolean;
  readonly bridge: boolean;
}

/** Asks by a transaction that is not committed. Nothing is asked where a chain of the family is in force. */
export function probeFamilies(connection: NetlinkConnection): KernelFamilies {
  return { arp: hasFamily(connection, NFPROTO.ARP), bridge: hasFamily(connection, NFPROTO.BRIDGE) };
}

function hasFamily(connection: NetlinkConnection, family: number): boolean {
  // A table proves nothing: it is made without the module that the type of its chains comes from.
  if (listNftChains(connection, family).some(({ hook }) => hook !== undefined)) return true;
  const table = `${POLICY_NFT_TABLE}-probe`;
  // Hook 0 is one that both families have. In a table that sleeps the chain meets no packet while it is looked at.
  const requests = [
    newNftTable({ family, name: table, flags: NFT_TABLE_F.DORMANT }),
    newNftChain({ family, table, name: 'probe', type: 'filter', hook: { number: 0, priority: 0 } }),
  ];
  try {
    changeNftables(connection, requests, { dryRun: true });
    return true;
  } catch (error) {
    // Not compiled in: the table is refused. A module that cannot be loaded: the type of the chain is not found.
    if (isNotSupported(error) || isNotFound(error)) return false;
    throw error;
  }
}
