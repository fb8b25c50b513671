import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';
import { data } from './data.ts';

/** enum nft_cmp_ops; orders are those of memcmp. */
export const NFT_CMP = { EQ: 0, NEQ: 1, LT: 2, LTE: 3, GT: 4, GTE: 5 } as const;

/** Ends the rule unless the first bytes of the register compare so to the data. */
export const cmpTable = attributeTable({
  sreg: attribute(1, be32),
  op: attribute(2, be32),
  data: attribute(3, data),
});
