import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';
import { data } from './data.ts';

/** Loads a constant: with NFT_REG.VERDICT as register the verdict of the rule. */
export const immediateTable = attributeTable({
  dreg: attribute(1, be32),
  data: attribute(2, data),
});
