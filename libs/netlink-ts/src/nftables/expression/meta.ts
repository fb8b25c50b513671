import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32 } from '../../wire/scalars.ts';

/** What `meta` loads or sets (enum nft_meta_keys). Values are in host byte order, NFPROTO and L4PROTO one byte wide. */
export const NFT_META = {
  LEN: 0,
  PROTOCOL: 1,
  PRIORITY: 2,
  MARK: 3,
  IIF: 4,
  OIF: 5,
  IIFNAME: 6,
  OIFNAME: 7,
  IIFTYPE: 8,
  OIFTYPE: 9,
  SKUID: 10,
  SKGID: 11,
  NFTRACE: 12,
  NFPROTO: 15,
  L4PROTO: 16,
  PKTTYPE: 19,
  IIFGROUP: 21,
  OIFGROUP: 22,
  CGROUP: 23,
  /** Name of the kind of link, as rtnetlink has it; none for hardware. */
  IIFKIND: 26,
  OIFKIND: 27,
} as const;

/** A property of the packet: into register `dreg`, or set from register `sreg`. */
export const metaTable = attributeTable({
  dreg: attribute(1, be32),
  key: attribute(2, be32),
  sreg: attribute(3, be32),
});
