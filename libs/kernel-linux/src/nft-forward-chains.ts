/** Which chains judge packets that this host forwards. */
import { NF_INET, NFPROTO, type NftChain } from 'netlink-ts';

export interface TableKey {
  /** NFPROTO. */
  readonly family: number;
  readonly table: string;
}

/** A base chain at the forward hook of an IP family. */
export function filtersForwarding({ family, hook }: NftChain): boolean {
  return hook?.number === NF_INET.FORWARD && FAMILY_NAME.has(family);
}

const FAMILY_NAME: ReadonlyMap<number, string> = new Map([
  [NFPROTO.IPV4, 'ip'],
  [NFPROTO.IPV6, 'ip6'],
  [NFPROTO.INET, 'inet'],
]);

/** As nft names it. */
export function familyName(family: number): string {
  return FAMILY_NAME.get(family) ?? String(family);
}

export function tableKeyText({ family, table }: TableKey): string {
  return `${family} ${table}`;
}
