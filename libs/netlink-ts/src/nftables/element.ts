import { nfgenmsg } from '../nfnetlink/header.ts';
import type { AttributeCodec } from '../wire/attribute-codec.ts';
import { attribute, type AttributesOf, attributeTable, list, nested } from '../wire/attribute-table.ts';
import { attributeType, forEachAttribute } from '../wire/attribute-walk.ts';
import { objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be32, be64, bytes, cstring } from '../wire/scalars.ts';
import { data, NFTA_DATA_VALUE } from './expression/data.ts';
import { expression, expressionList } from './expression/expression.ts';

/** enum nft_set_elem_flags. */
export const NFT_SET_ELEM = {
  /** Of an interval set: the first key behind an interval, where the next one does not begin. */
  INTERVAL_END: 0x1,
  /** Has no key and stands for all that no other element does: `*`. */
  CATCHALL: 0x2,
} as const;

/** A nest of nothing but NFTA_DATA_VALUE, as its bytes. */
const keyBytes: AttributeCodec<Uint8Array> = {
  nested: true,
  encode: (writer, value) => {
    const mark = writer.beginAttribute(NFTA_DATA_VALUE);
    writer.bytes(value);
    writer.endAttribute(mark);
  },
  decode: (source, start, end) => {
    const keys: (Uint8Array | undefined)[] = [];
    forEachAttribute(source, start, end, (rawType, from, to) => {
      keys.push(attributeType(rawType) === NFTA_DATA_VALUE ? source.copy(from, to) : undefined);
    });
    return keys.length === 1 ? keys[0] : undefined;
  },
};

export const elementTable = attributeTable({
  /** The fields of a concatenation one behind the other, each padded with zeros to a multiple of four. See key.ts. */
  key: attribute(1, keyBytes),
  /** Of a set of concatenated ranges: the last key of the range, the same length, inclusive. */
  keyEnd: attribute(10, keyBytes),
  /** Of a map. */
  data: attribute(2, data),
  /** NFT_SET_ELEM. */
  flags: attribute(3, be32),
  /** Milliseconds that it lives. */
  timeout: attribute(4, be64),
  /** Milliseconds that are left. */
  expiration: attribute(5, be64),
  /** See user-data.ts. */
  userData: attribute(6, bytes),
  expression: attribute(7, expression),
  /** Of a map of objects: the object's name. */
  object: attribute(9, cstring),
  expressions: attribute(11, expressionList),
});

export type NftElement = AttributesOf<typeof elementTable>;

export const NFTA_LIST_ELEM = 1;
export const NFTA_SET_ELEM_LIST_ELEMENTS = 3;

export const elementListCodec = objectCodec(
  'nft elements',
  nfgenmsg,
  attributeTable({
    table: attribute(1, cstring),
    set: attribute(2, cstring),
    /** The set by its id within the transaction. */
    setId: attribute(4, be32),
    elements: attribute(NFTA_SET_ELEM_LIST_ELEMENTS, list(NFTA_LIST_ELEM, nested(elementTable))),
  }),
);

/** Elements of one set: what a message of elements holds. */
export type NftElementList = ObjectOf<typeof elementListCodec>;
