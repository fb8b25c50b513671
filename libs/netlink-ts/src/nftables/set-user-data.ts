/**
 * What nft stores beside a set for itself (enum nftnl_udata_set_types, libnftnl/udata.h). Rows as in user-data.ts:
 *
 *     0  byte order of the key, u32 of the host: 0 none or concatenation, 1 host, 2 network
 *     1  the same of a map's data
 *     3  expression that the key's type was taken from (`typeof`); of a concatenation a row with no members
 *     4  the same of a map's data
 *     6  whether a map's data are ranges, u32
 *     7  comment, ended by a zero byte
 *
 * nft prints numbers of a key in the order that is told here.
 */
import type { NftDatatype } from './datatype.ts';
import { commentRow, userDataRow } from './user-data.ts';

const KEY_BYTE_ORDER = 0;
const DATA_BYTE_ORDER = 1;
const KEY_TYPEOF = 3;
const DATA_TYPEOF = 4;
const DATA_INTERVAL = 6;
const COMMENT = 7;

const ORDER = { none: 0, host: 1, network: 2 } as const;

/** Rows of a `typeof` (enum nftnl_udata_set_typeof_types), and nft's number of a concatenation (enum expr_types). */
const TYPEOF_EXPRESSION = 0;
const TYPEOF_DATA = 1;
const EXPR_CONCAT = 13;

/** The rows that nft 1.0.6 writes for `type KEY : DATA` and a comment. `dataFields` is empty for verdicts. */
export function setUserData(
  keyFields: readonly NftDatatype[],
  dataFields: readonly NftDatatype[] | undefined,
  comment: string | undefined,
): Uint8Array {
  const rows: Uint8Array[] = [userDataRow(KEY_BYTE_ORDER, u32(orderOf(keyFields)))];
  if (dataFields !== undefined) rows.push(userDataRow(DATA_BYTE_ORDER, u32(orderOf(dataFields))));
  if (keyFields.length > 1) rows.push(userDataRow(KEY_TYPEOF, concatenation()));
  if (dataFields !== undefined && dataFields.length > 1) rows.push(userDataRow(DATA_TYPEOF, concatenation()));
  if (dataFields !== undefined) rows.push(userDataRow(DATA_INTERVAL, u32(0)));
  if (comment !== undefined) rows.push(commentRow(COMMENT, comment));
  return concatBytes(rows);
}

function orderOf(fields: readonly NftDatatype[]): number {
  const [only] = fields;
  return fields.length === 1 && only !== undefined ? ORDER[only.order] : ORDER.none;
}

function concatenation(): Uint8Array {
  return concatBytes([userDataRow(TYPEOF_EXPRESSION, u32(EXPR_CONCAT)), userDataRow(TYPEOF_DATA, new Uint8Array(0))]);
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}
