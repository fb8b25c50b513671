import { nfgenmsg } from '../nfnetlink/header.ts';
import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be32, cstring } from '../wire/scalars.ts';

/** Every committed transaction of a namespace counts the generation up by one; zero is left out. */
export const generationCodec = objectCodec(
  'nft generation',
  nfgenmsg,
  attributeTable({
    id: attribute(1, be32),
    /** Who committed it (in events), by the process number of the initial pid namespace. */
    processId: attribute(2, be32),
    processName: attribute(3, cstring),
  }),
);

export type NftGeneration = ObjectOf<typeof generationCodec>;
