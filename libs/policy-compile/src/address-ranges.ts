/** Blocks with exceptions as ranges of addresses: what several of them cover together is one list. */
import { cidrLast, compareIp, type Ip, ipAdd, ipFamily } from 'net-types';
import type { BlockPeer } from './allow-peer.ts';

/** Inclusive; both ends of one family. */
export interface AddressRange {
  readonly first: Ip;
  readonly last: Ip;
}

/** What any of the blocks covers: ascending, and none touches the next. */
export function rangesOf(blocks: Iterable<BlockPeer>): readonly AddressRange[] {
  const ranges = [...blocks].flatMap(rangesOfBlock).sort((a, b) => compareIp(a.first, b.first));
  const merged: { readonly first: Ip; last: Ip }[] = [];
  for (const { first, last } of ranges) {
    const before = merged.at(-1);
    if (before === undefined || isGap(before.last, first)) merged.push({ first, last });
    else if (compareIp(last, before.last) > 0) before.last = last;
  }
  return merged;
}

/** Equal texts are equal lists. */
export function rangesText(ranges: readonly AddressRange[]): string {
  return ranges.map(({ first, last }) => `${ipFamily(first)}:${first.toString(36)}-${last.toString(36)}`).join(',');
}

/** Of ranges as `rangesOf` makes them. */
export function isIn(ranges: readonly AddressRange[], ip: Ip): boolean {
  let from = 0;
  let to = ranges.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const { first, last } = ranges[middle] as AddressRange;
    if (compareIp(ip, first) < 0) to = middle;
    else if (compareIp(ip, last) > 0) from = middle + 1;
    else return true;
  }
  return false;
}

/** What the block covers beside its exceptions, which are in order and apart. */
function rangesOfBlock({ cidr, except }: BlockPeer): AddressRange[] {
  const ranges: AddressRange[] = [];
  const last = cidrLast(cidr);
  let first: Ip | undefined = cidr.ip;
  for (const hole of except) {
    if (first !== undefined && compareIp(first, hole.ip) < 0) ranges.push({ first, last: ipAdd(hole.ip, -1) as Ip });
    first = ipAdd(cidrLast(hole), 1);
  }
  if (first !== undefined && compareIp(first, last) <= 0) ranges.push({ first, last });
  return ranges;
}

function isGap(last: Ip, first: Ip): boolean {
  if (ipFamily(last) !== ipFamily(first)) return true;
  const behind = ipAdd(last, 1);
  return behind !== undefined && compareIp(first, behind) > 0;
}
