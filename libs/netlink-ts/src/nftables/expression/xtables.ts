/**
 * Matches and targets of x_tables inside nf_tables, as iptables-nft writes them (linux/netfilter/nf_tables_compat.h).
 * `info` is the extension's own C structure.
 */
import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, bytes, cstring } from '../../wire/scalars.ts';

const xtablesTable = attributeTable({
  extension: attribute(1, cstring),
  revision: attribute(2, be32),
  info: attribute(3, bytes),
});

export const matchTable = xtablesTable;
export const targetTable = xtablesTable;
