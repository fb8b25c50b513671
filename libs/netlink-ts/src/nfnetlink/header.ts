/**
 * nfnetlink (linux/netfilter/nfnetlink.h): netfilter's subsystems share one netlink family. The upper byte of nlmsg_type
 * is the subsystem, the lower one its message; every message begins with struct nfgenmsg:
 *
 *     0        1         2             4
 *     | family | version | resource id |     resource id: big-endian, meaning by message
 */
import { be16At, struct, u8At } from '../wire/struct.ts';

export const nfgenmsg = struct(4, {
  family: u8At(0),
  version: u8At(1),
  resourceId: be16At(2),
});

/** Subsystems (NFNL_SUBSYS_*). */
export const NFNL_SUBSYS = { CTNETLINK: 1, ULOG: 4, NFTABLES: 10 } as const;

/** Multicast groups (enum nfnetlink_groups), for the event transport. */
export const NFNLGRP = {
  CONNTRACK_NEW: 1,
  CONNTRACK_UPDATE: 2,
  CONNTRACK_DESTROY: 3,
  NFTABLES: 7,
  NFTRACE: 9,
} as const;

/** Address families of netfilter (enum in linux/netfilter.h): INET, NETDEV and BRIDGE are no AF_ numbers by meaning. */
export const NFPROTO = { UNSPEC: 0, INET: 1, IPV4: 2, ARP: 3, NETDEV: 5, BRIDGE: 7, IPV6: 10 } as const;

/** Netfilter hooks of the IP families (enum nf_inet_hooks). */
export const NF_INET = { PRE_ROUTING: 0, LOCAL_IN: 1, FORWARD: 2, LOCAL_OUT: 3, POST_ROUTING: 4, INGRESS: 5 } as const;

/** nlmsg_type of a subsystem's message. */
export function nfnetlinkType(subsystem: number, message: number): number {
  return (subsystem << 8) | message;
}

export function subsystemOf(type: number): number {
  return type >>> 8;
}

export function messageOf(type: number): number {
  return type & 0xff;
}
