/** Zones as the blocks and ranges that a person writes. */
import { cidrOf, familyBits, formatCidr, formatIp, type Ip, ipFamily } from 'net-types';
import type { AddressRange, ZoneId } from './address-zones.ts';
import type { FamilyEnds } from './end-classes.ts';

/**
 * Texts of the zones' addresses, each as long as it goes, ascending. What is between two and has nobody in it is told as
 * part of both.
 */
export function zonesText({ zones, isFull }: FamilyEnds, wanted: ReadonlySet<ZoneId>): string[] {
  const ranges: { first: Ip; last: Ip }[] = [];
  let isOpen = false;
  for (const piece of zones.pieces()) {
    const isEmpty = isFull(piece);
    if (wanted.has(piece.zone) && !isEmpty) {
      const before = ranges.at(-1);
      if (isOpen && before !== undefined) before.last = piece.last;
      else ranges.push({ first: piece.first, last: piece.last });
      isOpen = true;
    } else if (!isEmpty) {
      isOpen = false;
    }
  }
  return ranges.map(rangeText);
}

/** `10.0.0.0/8` where it is a block, `10.0.0.1-10.0.0.3` where not. */
function rangeText({ first, last }: AddressRange): string {
  const size = BigInt(last) - BigInt(first) + 1n;
  if ((size & (size - 1n)) === 0n) {
    const block = cidrOf(first, familyBits(ipFamily(first)) - (size.toString(2).length - 1));
    if (block.ip === first) return formatCidr(block);
  }
  return `${formatIp(first)}-${formatIp(last)}`;
}
