/** Flags of an entry (NTF_* of linux/neighbour.h). */
export const NTF = {
  USE: 0x01,
  /** FDB: the device's own table (vxlan). */
  SELF: 0x02,
  /** FDB: the table of the device's bridge. */
  MASTER: 0x04,
  PROXY: 0x08,
  EXT_LEARNED: 0x10,
  OFFLOADED: 0x20,
  STICKY: 0x40,
  ROUTER: 0x80,
} as const;

/** Bits of `flagsExt` (NTF_EXT_*). */
export const NTF_EXT = { MANAGED: 0x01, LOCKED: 0x02 } as const;
