/** Messages of NFNL_SUBSYS_CTNETLINK (enum cntl_msg_types, linux/netfilter/nfnetlink_conntrack.h). */
export const IPCTNL_MSG_CT = { NEW: 0, GET: 1, DELETE: 2 } as const;

/** Attributes of an entry (enum ctattr_type). */
export const CTA = {
  TUPLE_ORIG: 1,
  TUPLE_REPLY: 2,
  STATUS: 3,
  PROTOINFO: 4,
  HELP: 5,
  TIMEOUT: 7,
  MARK: 8,
  COUNTERS_ORIG: 9,
  COUNTERS_REPLY: 10,
  USE: 11,
  ID: 12,
  TUPLE_MASTER: 14,
  ZONE: 18,
  TIMESTAMP: 20,
  MARK_MASK: 21,
  LABELS: 22,
  STATUS_MASK: 26,
} as const;

/** Bits of an entry's status (enum ip_conntrack_status, linux/netfilter/nf_conntrack_common.h). */
export const IPS = {
  EXPECTED: 0x1,
  /** Packets went both ways. */
  SEEN_REPLY: 0x2,
  /** Not to be dropped early for want of room. */
  ASSURED: 0x4,
  /** The first packet has left the machine. */
  CONFIRMED: 0x8,
  SRC_NAT: 0x10,
  DST_NAT: 0x20,
  DYING: 0x200,
  OFFLOAD: 0x4000,
} as const;

/** States of a TCP entry (enum tcp_conntrack). */
export const TCP_CONNTRACK = {
  NONE: 0,
  SYN_SENT: 1,
  SYN_RECV: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  CLOSE_WAIT: 5,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSE: 8,
  SYN_SENT2: 9,
} as const;
