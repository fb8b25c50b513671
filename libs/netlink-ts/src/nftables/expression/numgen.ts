import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';

/** enum nft_ng_types. */
export const NFT_NG = { INCREMENTAL: 0, RANDOM: 1 } as const;

/** A number from `offset` on, below `offset + modulus`, host byte order: the next one, or one at random. */
export const numgenTable = attributeTable({
  dreg: attribute(1, be32),
  modulus: attribute(2, be32),
  generator: attribute(3, be32),
  offset: attribute(4, be32),
});
