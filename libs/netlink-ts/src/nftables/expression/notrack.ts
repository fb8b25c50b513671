import { attributeTable } from '../../wire/attribute-table.ts';

/** Conntrack leaves the packet alone; of use before it alone (priority -200). Has no attributes. */
export const notrackTable = attributeTable({});
