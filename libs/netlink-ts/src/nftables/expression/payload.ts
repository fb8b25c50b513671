import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';

/** Where the offset counts from (enum nft_payload_bases). */
export const NFT_PAYLOAD = { LL_HEADER: 0, NETWORK_HEADER: 1, TRANSPORT_HEADER: 2, INNER_HEADER: 3 } as const;

/** Bytes of the packet: into register `dreg`, or written from register `sreg` with the checksum adjusted. */
export const payloadTable = attributeTable({
  dreg: attribute(1, be32),
  base: attribute(2, be32),
  offset: attribute(3, be32),
  length: attribute(4, be32),
  sreg: attribute(5, be32),
  checksumType: attribute(6, be32),
  checksumOffset: attribute(7, be32),
  checksumFlags: attribute(8, be32),
});
