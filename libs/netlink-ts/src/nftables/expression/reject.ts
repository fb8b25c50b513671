import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, u8 } from '../../wire/scalars.ts';

/** enum nft_reject_types. */
export const NFT_REJECT = { ICMP_UNREACH: 0, TCP_RST: 1, ICMPX_UNREACH: 2 } as const;

/** Drops the packet with an answer to its sender. Ends the evaluation. */
export const rejectTable = attributeTable({
  rejectType: attribute(1, be32),
  icmpCode: attribute(2, u8),
});
