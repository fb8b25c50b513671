import { nfgenmsg } from '../nfnetlink/header.ts';
import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be32, be64, bytes, cstring, nestBytes } from '../wire/scalars.ts';

/** Types of objects (NFT_OBJECT_*) that are used here. */
export const NFT_OBJECT = { COUNTER: 1 } as const;

/** A stateful object that rules and maps share: a named counter, quota, limit. */
export const nftObjectCodec = objectCodec(
  'nft object',
  nfgenmsg,
  attributeTable({
    table: attribute(1, cstring),
    name: attribute(2, cstring),
    /** NFT_OBJECT. */
    objectType: attribute(3, be32),
    /** Attributes of its type, undecoded. */
    data: attribute(4, nestBytes),
    use: attribute(5, be32),
    handle: attribute(6, be64),
    userData: attribute(8, bytes),
  }),
);

export type NftObject = ObjectOf<typeof nftObjectCodec>;
