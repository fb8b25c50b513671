import { attribute, attributeTable, nested } from '../wire/attribute-table.ts';
import { be16, be32, be64, bytes, cstring, u8 } from '../wire/scalars.ts';
import { struct, u8At } from '../wire/struct.ts';
import { CTA } from './constants.ts';
import { tupleTable } from './tuple.ts';

/** struct nf_ct_tcp_flags. */
const tcpFlags = struct(2, { flags: u8At(0), mask: u8At(1) });

/** enum ctattr_protoinfo_tcp. */
export const tcpInfoTable = attributeTable({
  /** TCP_CONNTRACK_*. */
  state: attribute(1, u8),
  windowScaleOriginal: attribute(2, u8),
  windowScaleReply: attribute(3, u8),
  flagsOriginal: attribute(4, tcpFlags),
  flagsReply: attribute(5, tcpFlags),
});

/** enum ctattr_protoinfo_sctp. */
export const sctpInfoTable = attributeTable({
  /** SCTP_CONNTRACK_*. */
  state: attribute(1, u8),
  verificationTagOriginal: attribute(2, be32),
  verificationTagReply: attribute(3, be32),
});

export const protocolInfoTable = attributeTable({
  tcp: attribute(1, nested(tcpInfoTable)),
  sctp: attribute(3, nested(sctpInfoTable)),
});

/** There when net.netfilter.nf_conntrack_acct is on. */
export const countersTable = attributeTable({ packets: attribute(1, be64), bytes: attribute(2, be64) });

/** Nanoseconds since the epoch; there when net.netfilter.nf_conntrack_timestamp is on. */
export const timestampTable = attributeTable({ start: attribute(1, be64), stop: attribute(2, be64) });

export const helperTable = attributeTable({ name: attribute(1, cstring) });

export const conntrackTable = attributeTable({
  /** Of packets as the flow's first one came in. */
  original: attribute(CTA.TUPLE_ORIG, nested(tupleTable)),
  /** Of packets that answer: its source is what the first packet went to after DNAT. */
  reply: attribute(CTA.TUPLE_REPLY, nested(tupleTable)),
  /** IPS_*. */
  status: attribute(CTA.STATUS, be32),
  protocolInfo: attribute(CTA.PROTOINFO, nested(protocolInfoTable)),
  helper: attribute(CTA.HELP, nested(helperTable)),
  /** Seconds until it goes, if no packet comes. */
  timeout: attribute(CTA.TIMEOUT, be32),
  mark: attribute(CTA.MARK, be32),
  countersOriginal: attribute(CTA.COUNTERS_ORIG, nested(countersTable)),
  countersReply: attribute(CTA.COUNTERS_REPLY, nested(countersTable)),
  use: attribute(CTA.USE, be32),
  /** Tells entries apart; one that takes the place of an equal one may have its number too. */
  id: attribute(CTA.ID, be32),
  /** The flow that this one is related to. */
  master: attribute(CTA.TUPLE_MASTER, nested(tupleTable)),
  /** Absent: zone 0. */
  zone: attribute(CTA.ZONE, be16),
  timestamp: attribute(CTA.TIMESTAMP, nested(timestampTable)),
  /** Of requests: which bits `mark` is about. */
  markMask: attribute(CTA.MARK_MASK, be32),
  labels: attribute(CTA.LABELS, bytes),
  /** Of listings: which bits of `status` an entry must have as given. */
  statusMask: attribute(CTA.STATUS_MASK, be32),
});
