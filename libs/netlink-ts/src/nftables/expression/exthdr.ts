import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, u8 } from '../../wire/scalars.ts';

/** enum nft_exthdr_op: whose options or headers. */
export const NFT_EXTHDR_OP = { IPV6: 0, TCPOPT: 1, IPV4: 2, SCTP: 3, DCCP: 4 } as const;

/** enum nft_exthdr_flags: 1 or 0 for whether it is there, instead of its bytes. */
export const NFT_EXTHDR_F_PRESENT = 1;

/** Bytes of an IPv6 extension header, an option or a chunk: into register `dreg`, or written from register `sreg`. */
export const exthdrTable = attributeTable({
  dreg: attribute(1, be32),
  /** Protocol number of the header, kind of the option. */
  header: attribute(2, u8),
  offset: attribute(3, be32),
  length: attribute(4, be32),
  flags: attribute(5, be32),
  op: attribute(6, be32),
  sreg: attribute(7, be32),
});
