import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';
import { data } from './data.ts';

/** enum nft_bitwise_ops. */
export const NFT_BITWISE = { MASK_XOR: 0, LSHIFT: 1, RSHIFT: 2 } as const;

/** MASK_XOR: `dreg = (sreg & mask) ^ xor`. A shift takes its distance from `data`. Kernels before 5.6 tell no `op`. */
export const bitwiseTable = attributeTable({
  sreg: attribute(1, be32),
  dreg: attribute(2, be32),
  length: attribute(3, be32),
  op: attribute(6, be32),
  mask: attribute(4, data),
  xor: attribute(5, data),
  data: attribute(7, data),
});
