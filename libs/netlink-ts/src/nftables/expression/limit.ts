import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, be64 } from '../../wire/scalars.ts';

/** enum nft_limit_type. */
export const NFT_LIMIT = { PKTS: 0, PKT_BYTES: 1 } as const;

/** enum nft_limit_flags: match what is over the limit instead of what is within. */
export const NFT_LIMIT_F_INV = 1;

/** Ends the rule when more than `rate` per `unit` seconds came, `burst` of them at once. */
export const limitTable = attributeTable({
  rate: attribute(1, be64),
  /** Seconds. */
  unit: attribute(2, be64),
  burst: attribute(3, be32),
  limitType: attribute(4, be32),
  flags: attribute(5, be32),
});
