import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be16, be32, cstring } from '../../wire/scalars.ts';

/** Reports the packet: to listeners of an NFLOG group when `group` is given, else to the kernel's log. */
export const logTable = attributeTable({
  group: attribute(1, be16),
  /** At most 127 bytes. */
  prefix: attribute(2, cstring),
  /** How many bytes of the packet go along; 0 is all of them. */
  snapLength: attribute(3, be32),
  /** How many reports the kernel gathers before it sends. */
  queueThreshold: attribute(4, be16),
  /** Of the kernel's log (enum nft_log_level). */
  level: attribute(5, be32),
  flags: attribute(6, be32),
});
