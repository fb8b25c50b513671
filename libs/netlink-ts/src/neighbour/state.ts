/** State of an entry (NUD_* of linux/neighbour.h). */
export const NUD = {
  NONE: 0,
  INCOMPLETE: 0x01,
  REACHABLE: 0x02,
  STALE: 0x04,
  DELAY: 0x08,
  PROBE: 0x10,
  FAILED: 0x20,
  /** Never resolved; with FDB entries: added by a program, does not age. */
  NOARP: 0x40,
  /** Never resolved, never collected. */
  PERMANENT: 0x80,
} as const;
