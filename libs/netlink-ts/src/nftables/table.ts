import { nfgenmsg } from '../nfnetlink/header.ts';
import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { type InputOf, objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be32, be64, bytes, cstring } from '../wire/scalars.ts';

/** enum nft_table_flags. */
export const NFT_TABLE_F = {
  /** The table's chains see no packet. */
  DORMANT: 0x1,
  /** Only the socket that made the table may change it, and the table goes when that closes. */
  OWNER: 0x2,
  /** With OWNER: the table stays, and another socket may take it over (kernel 6.9). */
  PERSIST: 0x4,
} as const;

export const tableCodec = objectCodec(
  'nft table',
  nfgenmsg,
  attributeTable({
    name: attribute(1, cstring),
    flags: attribute(2, be32),
    /** How many chains, sets, stateful objects and flowtables it holds. */
    use: attribute(3, be32),
    handle: attribute(4, be64),
    userData: attribute(6, bytes),
    /** Port id of the owning socket. */
    owner: attribute(7, be32),
  }),
);

/** `family` is one of NFPROTO; a table is known by family and name together. */
export type NftTable = ObjectOf<typeof tableCodec>;
export type NftTableInput = InputOf<typeof tableCodec>;
