import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';

/** enum nft_fib_result. */
export const NFT_FIB_RESULT = { OIF: 1, OIFNAME: 2, ADDRTYPE: 3 } as const;

/** enum nft_fib_flags. */
export const NFT_FIB_F = { SADDR: 1, DADDR: 2, MARK: 4, IIF: 8, OIF: 16, PRESENT: 32 } as const;

/** Asks the routing table about an address of the packet. */
export const fibTable = attributeTable({
  dreg: attribute(1, be32),
  result: attribute(2, be32),
  flags: attribute(3, be32),
});
