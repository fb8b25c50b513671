/** Messages of NFNL_SUBSYS_ULOG (enum nfulnl_msg_types, linux/netfilter/nfnetlink_log.h). */
export const NFULNL_MSG = { PACKET: 0, CONFIG: 1 } as const;

/** enum nfulnl_msg_config_cmds. */
export const NFULNL_CFG_CMD = { NONE: 0, BIND: 1, UNBIND: 2, PF_BIND: 3, PF_UNBIND: 4 } as const;

/** How much of a packet is told (NFULNL_COPY_*). */
export const NFULNL_COPY = { NONE: 0, META: 1, PACKET: 2 } as const;

/** NFULNL_CFG_F_*. */
export const NFULNL_CFG_F = {
  /** Packets of a group are numbered, and of a lost one the number is missing. */
  SEQ: 1,
  SEQ_GLOBAL: 2,
  CONNTRACK: 4,
} as const;
