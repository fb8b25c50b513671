import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be64 } from '../../wire/scalars.ts';

/** Counts what gets as far as this; in a request the values to begin with. */
export const counterTable = attributeTable({
  bytes: attribute(1, be64),
  packets: attribute(2, be64),
});
