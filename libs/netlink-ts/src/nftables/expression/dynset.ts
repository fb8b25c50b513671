import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, be64, cstring } from '../../wire/scalars.ts';

/** enum nft_dynset_ops. UPDATE winds the element's time to live up again. */
export const NFT_DYNSET = { ADD: 0, UPDATE: 1, DELETE: 2 } as const;

/** Makes the register an element of a dynamic set. Expressions of the element are kept as they come. */
export const dynsetTable = attributeTable({
  set: attribute(1, cstring),
  setId: attribute(2, be32),
  op: attribute(3, be32),
  sregKey: attribute(4, be32),
  sregData: attribute(5, be32),
  /** Milliseconds. */
  timeout: attribute(6, be64),
  flags: attribute(9, be32),
});
