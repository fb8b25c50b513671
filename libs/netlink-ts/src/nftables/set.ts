import { nfgenmsg } from '../nfnetlink/header.ts';
import { attribute, attributeTable, list, nested } from '../wire/attribute-table.ts';
import { type InputOf, objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be32, be64, bytes, cstring } from '../wire/scalars.ts';
import { expression, expressionList } from './expression/expression.ts';

/** enum nft_set_flags. */
export const NFT_SET = {
  /** Belongs to one rule and goes with it. Its name is a pattern: `__set%d`. */
  ANONYMOUS: 0x1,
  /** Takes no elements once a rule refers to it. */
  CONSTANT: 0x2,
  INTERVAL: 0x4,
  MAP: 0x8,
  TIMEOUT: 0x10,
  /** Rules add elements; nft's word is `dynamic`. */
  EVAL: 0x20,
  OBJECT: 0x40,
  /** Of an INTERVAL set: every field of a key is a range of its own. */
  CONCAT: 0x80,
  EXPR: 0x100,
} as const;

/** dataType of a map to verdicts; the type of a map to anything else is a number of nft's own, as keyType is. */
export const NFT_DATA_VERDICT = 0xffff_ff00;

const NFTA_LIST_ELEM = 1;

const fieldTable = attributeTable({ length: attribute(1, be32) });

const descriptionTable = attributeTable({
  /** How many elements it may hold; one more is ENFILE. A hash set that declares it gets its buckets at once. */
  size: attribute(1, be32),
  /** Bytes of each field of a concatenated key, without padding. */
  fields: attribute(2, list(NFTA_LIST_ELEM, nested(fieldTable))),
});

export const setCodec = objectCodec(
  'nft set',
  nfgenmsg,
  attributeTable({
    table: attribute(1, cstring),
    name: attribute(2, cstring),
    /** NFT_SET. */
    flags: attribute(3, be32),
    /** See datatype.ts; the kernel does not look at it. */
    keyType: attribute(4, be32),
    /** Bytes of a key, each field of a concatenation padded to four. */
    keyLength: attribute(5, be32),
    dataType: attribute(6, be32),
    dataLength: attribute(7, be32),
    /** NFT_SET_POL_PERFORMANCE 0 or NFT_SET_POL_MEMORY 1. */
    policy: attribute(8, be32),
    description: attribute(9, nested(descriptionTable)),
    /** A number by which other requests of the transaction may name it. The kernel does not do without. */
    id: attribute(10, be32),
    /** Milliseconds after which an element that names no time of its own goes. */
    timeout: attribute(11, be64),
    /** Milliseconds between two sweeps. */
    gcInterval: attribute(12, be32),
    /** See set-user-data.ts. */
    userData: attribute(13, bytes),
    objectType: attribute(15, be32),
    handle: attribute(16, be64),
    expression: attribute(17, expression),
    expressions: attribute(18, expressionList),
    /** The kernel's name of the structure that holds it (6.15). */
    backend: attribute(19, cstring),
    /** How many elements it holds (6.15). */
    count: attribute(20, be32),
  }),
);

/** `family` is one of NFPROTO. A map is a set with MAP among its flags. */
export type NftSet = ObjectOf<typeof setCodec>;
export type NftSetInput = InputOf<typeof setCodec>;
