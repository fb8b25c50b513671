import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, cstring } from '../../wire/scalars.ts';

/** A stateful object by its name, or by what a map has for a register. */
export const objrefTable = attributeTable({
  /** NFT_OBJECT. */
  objectType: attribute(1, be32),
  object: attribute(2, cstring),
  sreg: attribute(3, be32),
  set: attribute(4, cstring),
  /** The map by its id within the transaction. */
  setId: attribute(5, be32),
});
