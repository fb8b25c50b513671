import { attribute, attributeTable } from '../../wire/attribute-table.ts';
import { be32, u8 } from '../../wire/scalars.ts';

/** What `ct` loads or sets of the packet's flow (enum nft_ct_keys). */
export const NFT_CT = {
  STATE: 0,
  DIRECTION: 1,
  STATUS: 2,
  MARK: 3,
  PROTOCOL: 10,
  PKTS: 14,
  BYTES: 15,
  ZONE: 17,
  ID: 23,
} as const;

/** Bits of NFT_CT.STATE (NF_CT_STATE_* of nf_conntrack_common.h), host byte order. */
export const CT_STATE = { INVALID: 1, ESTABLISHED: 2, RELATED: 4, NEW: 8, UNTRACKED: 64 } as const;

/** Bits of NFT_CT.STATUS (IPS_*), host byte order. */
export const CT_STATUS = { EXPECTED: 1, SEEN_REPLY: 2, ASSURED: 4, CONFIRMED: 8, SRC_NAT: 16, DST_NAT: 32 } as const;

export const ctTable = attributeTable({
  dreg: attribute(1, be32),
  key: attribute(2, be32),
  /** IP_CT_DIR_ORIGINAL 0 or IP_CT_DIR_REPLY 1, for keys that have two sides. */
  direction: attribute(3, u8),
  sreg: attribute(4, be32),
});
