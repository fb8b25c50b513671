/** A RuleSet as nf_tables sets: one for each family, because a key has one length. */
import type { RuleSet, SetId, SetMember } from '@canal/rules-ast';
import { PROTOCOL_NUMBER } from '@canal/rules-ast';
import { elementKey, NFT_SET_ELEM, type NftElement, portBytes } from 'netlink-ts';
import {
  type Cidr,
  cidrFamily,
  cidrLast,
  compareIp,
  type Ip,
  ipAdd,
  ipFamily,
  type IpFamily,
  ipToBytes,
} from 'net-types';
import type { SetDefinition } from './table-image.ts';

export const FAMILIES: readonly IpFamily[] = [4, 6];

export function setName(id: SetId, family: IpFamily): string {
  return `${id}-${family}`;
}

export function setDefinition(set: RuleSet, family: IpFamily): SetDefinition {
  const name = setName(set.id, family);
  const address = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  switch (set.kind) {
    case 'addresses':
      return { name, key: address };
    case 'address-ports':
      return { name, key: [address, 'inet_proto', 'inet_service'] };
    case 'blocks':
      return { name, key: address, interval: true };
  }
}

/** The elements of those members that are of the family; of a set of blocks all members are needed at once. */
export function* memberElements(
  kind: RuleSet['kind'],
  family: IpFamily,
  members: Iterable<SetMember>,
): Generator<NftElement> {
  if (kind === 'blocks') {
    yield* blockElements(family, members);
    return;
  }
  for (const member of members) {
    if (member.kind === 'blocks' || ipFamily(member.ip) !== family) continue;
    yield { key: member.kind === 'addresses' ? ipToBytes(member.ip) : addressPortKey(member) };
  }
}

function addressPortKey({ ip, protocol, port }: SetMember & { kind: 'address-ports' }): Uint8Array {
  return elementKey(ipToBytes(ip), Uint8Array.of(PROTOCOL_NUMBER[protocol]), portBytes(port));
}

function* blockElements(family: IpFamily, members: Iterable<SetMember>): Generator<NftElement> {
  const blocks: Cidr[] = [];
  for (const member of members) {
    if (member.kind === 'blocks' && cidrFamily(member.cidr) === family) blocks.push(member.cidr);
  }
  for (const [first, behind] of mergedIntervals(blocks)) {
    yield { key: ipToBytes(first) };
    if (behind !== undefined) yield { key: ipToBytes(behind), flags: NFT_SET_ELEM.INTERVAL_END };
  }
}

/**
 * Blocks of one family as intervals that neither overlap nor touch, ascending: first address, and the first address
 * behind; undefined for an interval that reaches to the end of all addresses.
 */
export function mergedIntervals(blocks: readonly Cidr[]): (readonly [Ip, Ip | undefined])[] {
  const sorted = blocks.toSorted((a, b) => compareIp(a.ip, b.ip));
  const merged: [Ip, Ip | undefined][] = [];
  for (const block of sorted) {
    const behind = ipAdd(cidrLast(block), 1);
    const last = merged.at(-1);
    if (last === undefined || (last[1] !== undefined && compareIp(last[1], block.ip) < 0)) {
      merged.push([block.ip, behind]);
    } else if (last[1] !== undefined && (behind === undefined || compareIp(behind, last[1]) > 0)) {
      last[1] = behind;
    }
  }
  return merged;
}
