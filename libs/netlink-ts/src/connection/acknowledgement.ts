/**
 * NLMSG_ERROR and the end of a dump:
 *
 *     | error i32 | header of the request (16) | [its payload, unless NLM_F_CAPPED] | [attributes, if NLM_F_ACK_TLVS] |
 *     | error i32 | [attributes, if NLM_F_ACK_TLVS] |                                               (NLMSG_DONE)
 *
 * error is 0 for success, a negative errno otherwise (linux/netlink.h struct nlmsgerr, enum nlmsgerr_attrs).
 */
import { attribute, type AttributesOf, attributeTable } from '../wire/attribute-table.ts';
import { align4 } from '../wire/byte-order.ts';
import { type MessageFrame, NLM_F, NLMSG } from '../wire/message.ts';
import { bytes, cstring, u32 } from '../wire/scalars.ts';
import { MESSAGE_HEADER_BYTES } from '../wire/wire-writer.ts';

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const NLMSGERR_ATTR_COOKIE = 3;
const NLMSGERR_ATTR_POLICY = 4;
const NLMSGERR_ATTR_MISS_TYPE = 5;
const NLMSGERR_ATTR_MISS_NEST = 6;

export const extendedAckTable = attributeTable({
  /** What went wrong, in the kernel's words. */
  message: attribute(NLMSGERR_ATTR_MSG, cstring),
  /** Byte offset in the request of the attribute that was refused. */
  offset: attribute(NLMSGERR_ATTR_OFFS, u32),
  /** Whatever the subsystem wants to hand back. */
  cookie: attribute(NLMSGERR_ATTR_COOKIE, bytes),
  /** The policy that the attribute broke, undecoded. */
  policy: attribute(NLMSGERR_ATTR_POLICY, bytes),
  /** Type of the attribute that was required and missing. */
  missingType: attribute(NLMSGERR_ATTR_MISS_TYPE, u32),
  /** Byte offset of the nest it is missing in; none for the top level. */
  missingNest: attribute(NLMSGERR_ATTR_MISS_NEST, u32),
});

export type ExtendedAck = AttributesOf<typeof extendedAckTable>;

export interface Acknowledgement {
  /** 0, or a positive errno. */
  readonly errno: number;
  readonly extendedAck: ExtendedAck | undefined;
}

/** Reads an NLMSG_ERROR or NLMSG_DONE message. */
export function decodeAcknowledgement(frame: MessageFrame): Acknowledgement {
  const { source, payloadStart, payloadEnd } = frame;
  // A DONE without payload is an old kernel's "no error".
  if (frame.type === NLMSG.DONE && payloadEnd - payloadStart < 4) return { errno: 0, extendedAck: undefined };
  const errno = -source.s32(payloadStart);
  if ((frame.flags & NLM_F.ACK_TLVS) === 0) return { errno: Math.max(0, errno), extendedAck: undefined };
  const attributes = payloadStart + 4 + echoedBytes(frame);
  const extendedAck = extendedAckTable.decode(source, Math.min(attributes, payloadEnd), payloadEnd);
  return { errno: Math.max(0, errno), extendedAck };
}

/** How much of the request the kernel repeats in front of the attributes. */
function echoedBytes({ type, flags, source, payloadStart }: MessageFrame): number {
  if (type === NLMSG.DONE) return 0;
  if ((flags & NLM_F.CAPPED) !== 0) return MESSAGE_HEADER_BYTES;
  return align4(source.u32(payloadStart + 4));
}
