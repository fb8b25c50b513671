/** A RuleSet as nf_tables sets: one for each family, because a key has one length. */
import type { RuleSet, SetId, SetMember } from '@canal/rules-ast';
import { PROTOCOL_NUMBER } from '@canal/rules-ast';
import { elementKey, intervalElements, type NftElement, portBytes } from 'netlink-ts';
import { ipFamily, type IpFamily, ipToBytes } from 'net-types';
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

function blockElements(family: IpFamily, members: Iterable<SetMember>): readonly NftElement[] {
  const ranges: { readonly first: Uint8Array; readonly last: Uint8Array }[] = [];
  for (const member of members) {
    if (member.kind !== 'blocks' || ipFamily(member.first) !== family) continue;
    ranges.push({ first: ipToBytes(member.first), last: ipToBytes(member.last) });
  }
  return intervalElements(ranges);
}
