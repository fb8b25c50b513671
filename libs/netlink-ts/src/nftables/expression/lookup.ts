import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, cstring } from '../../wire/scalars.ts';

/** enum nft_lookup_flags. */
export const NFT_LOOKUP_F_INV = 1;

/** Ends the rule unless the register is an element of the set; of a map, loads the element's data into `dreg`. */
export const lookupTable = attributeTable({
  set: attribute(1, cstring),
  sreg: attribute(2, be32),
  /** NFT_REG.VERDICT for a verdict map. */
  dreg: attribute(3, be32),
  /** The set by its id within the transaction, for one that is made in it. */
  setId: attribute(4, be32),
  flags: attribute(5, be32),
});
