/**
 * Elements of interval sets. The kernel holds an interval as two: its first key, and with INTERVAL_END the first key
 * behind it. What goes on to the highest key has no end.
 */
import { type Cidr, cidrLast, ipToBytes } from 'net-types';
import { NFT_SET_ELEM, type NftElement } from './element.ts';
import { portBytes } from './key.ts';
import { userDataRow } from './user-data.ts';

/** Keys from the first to the last, both included, of equal length and in network order. */
export interface NftKeyRange {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

/** `10.0.0.0/8`. */
export function cidrRange(cidr: Cidr): NftKeyRange {
  return { first: ipToBytes(cidr.ip), last: ipToBytes(cidrLast(cidr)) };
}

/** `80-90`. */
export function portRange(first: number, last: number): NftKeyRange {
  return { first: portBytes(first), last: portBytes(last) };
}

/** nft marks an interval without an end so (enum nftnl_udata_set_elem_types, SET_ELEM_F_INTERVAL_OPEN). */
const NFTNL_UDATA_SET_ELEM_FLAGS = 1;
const OPEN = userDataRow(NFTNL_UDATA_SET_ELEM_FLAGS, new Uint8Array(Uint32Array.of(1).buffer));

/**
 * The elements of a set of these ranges, in ascending order. Ranges may overlap: those that do, or touch, become one.
 * Throws RangeError for a range whose end is before its beginning.
 */
export function intervalElements(ranges: Iterable<NftKeyRange>): NftElement[] {
  return mergeRanges(ranges).flatMap(({ first, last }): NftElement[] => {
    const behind = successor(last);
    if (behind === undefined) return [{ key: first, userData: OPEN }];
    return [{ key: first }, { key: behind, flags: NFT_SET_ELEM.INTERVAL_END }];
  });
}

function mergeRanges(ranges: Iterable<NftKeyRange>): NftKeyRange[] {
  const merged: NftKeyRange[] = [];
  for (const range of [...ranges].sort((a, b) => compareKeys(a.first, b.first))) {
    const { first, last } = range;
    if (first.length !== last.length || compareKeys(first, last) > 0) {
      throw new RangeError(`a range of keys ends before it begins: ${first.join('.')}-${last.join('.')}`);
    }
    const before = merged.at(-1);
    if (before === undefined || isGap(before.last, first)) merged.push(range);
    else if (compareKeys(last, before.last) > 0) merged[merged.length - 1] = { first: before.first, last };
  }
  return merged;
}

function isGap(last: Uint8Array, first: Uint8Array): boolean {
  const behind = successor(last);
  return behind !== undefined && compareKeys(first, behind) > 0;
}

function compareKeys(a: Uint8Array, b: Uint8Array): number {
  for (const [index, byte] of a.entries()) {
    const difference = byte - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The key plus one; undefined when it is the highest. */
function successor(key: Uint8Array): Uint8Array | undefined {
  const next = key.slice();
  for (let at = next.length - 1; at >= 0; at--) {
    const byte = (next[at] ?? 0) + 1;
    next[at] = byte;
    if (byte <= 0xff) return next;
  }
  return undefined;
}
