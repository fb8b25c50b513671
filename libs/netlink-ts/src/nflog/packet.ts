import { messageOf, NFNL_SUBSYS, nfgenmsg, subsystemOf } from '../nfnetlink/header.ts';
import { attribute, attributeTable } from '../wire/attribute-table.ts';
import type { MessageFrame } from '../wire/message.ts';
import { objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be16, be32, bytes, cstring } from '../wire/scalars.ts';
import { be16At, struct, type StructField, u8At } from '../wire/struct.ts';
import { NFULNL_MSG } from './constants.ts';

const be64At = (offset: number): StructField<bigint> => ({
  offset,
  bytes: 8,
  zero: 0n,
  read: (source, at) => source.be64(at),
  write: (view, at, value) => view.setBigUint64(at, value, false),
});

/** enum nfulnl_attr_type; what is not here (VLAN tags, layer 2 headers, conntrack) is kept as unknown. */
export const nflogPacketTable = attributeTable({
  /** struct nfulnl_msg_packet_hdr: EtherType, and where it was seen (NF_INET_*). */
  header: attribute(1, struct(4, { etherType: be16At(0), hook: u8At(2) })),
  mark: attribute(2, be32),
  /** struct nfulnl_msg_packet_timestamp: seconds and microseconds since the epoch. Not of packets that go out. */
  timestamp: attribute(3, struct(16, { seconds: be64At(0), microseconds: be64At(8) })),
  /** Of a bridge's port: the bridge. */
  inIndex: attribute(4, be32),
  outIndex: attribute(5, be32),
  /** The port of the bridge. */
  physicalInIndex: attribute(6, be32),
  physicalOutIndex: attribute(7, be32),
  /** struct nfulnl_msg_packet_hw: sender's link-layer address, how long it is, then eight bytes. */
  hardwareAddress: attribute(8, bytes),
  /** From the network header on. */
  payload: attribute(9, bytes),
  /** What the rule gave. */
  prefix: attribute(10, cstring),
  /** Owner of the socket that sent it, on this machine. */
  uid: attribute(11, be32),
  /** With NFULNL_CFG_F.SEQ: counts the packets of the group up from 0. */
  sequence: attribute(12, be32),
  gid: attribute(14, be32),
  /** ARPHRD_*. */
  hardwareType: attribute(15, be16),
  /** The link-layer header. */
  hardwareHeader: attribute(16, bytes),
  hardwareHeaderLength: attribute(17, be16),
});

export const nflogPacketCodec = objectCodec('nflog packet', nfgenmsg, nflogPacketTable);

/** A packet that a rule told of. `family` is an NFPROTO, `resourceId` the group. */
export type NflogPacket = ObjectOf<typeof nflogPacketCodec>;

export function isNflogPacket({ type }: MessageFrame): boolean {
  return subsystemOf(type) === NFNL_SUBSYS.ULOG && messageOf(type) === NFULNL_MSG.PACKET;
}
