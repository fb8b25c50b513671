import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';

/** enum nft_byteorder_ops. */
export const NFT_BYTEORDER = { NTOH: 0, HTON: 1 } as const;

/** Turns the bytes of `length / size` numbers. Orders (less, greater) are those of memcmp, so of network order. */
export const byteorderTable = attributeTable({
  sreg: attribute(1, be32),
  dreg: attribute(2, be32),
  op: attribute(3, be32),
  length: attribute(4, be32),
  /** Bytes of one number: 2, 4 or 8. */
  size: attribute(5, be32),
});
