import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';
import { data } from './data.ts';

/** enum nft_range_ops. */
export const NFT_RANGE = { EQ: 0, NEQ: 1 } as const;

/** Ends the rule unless the register lies within the range, both ends included; NEQ: unless outside. */
export const rangeTable = attributeTable({
  sreg: attribute(1, be32),
  op: attribute(2, be32),
  from: attribute(3, data),
  to: attribute(4, data),
});
