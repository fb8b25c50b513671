/**
 * The envelope, struct nlmsghdr (linux/netlink.h, RFC 3549 §2.3.2):
 *
 *     0               4       6       8               12              16
 *     | length        | type  | flags | sequence      | port id       | payload ...
 */
import { align4 } from './byte-order.ts';
import { DecodeError } from './decode-error.ts';
import type { WireSource } from './wire-source.ts';
import { MESSAGE_HEADER_BYTES } from './wire-writer.ts';

/** Message types below 16 belong to netlink itself (NLMSG_*). */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

/** nlmsg_flags (NLM_F_*). Values overlap: the upper byte means other things for get, new and delete requests. */
export const NLM_F = {
  REQUEST: 0x01,
  MULTI: 0x02,
  ACK: 0x04,
  ECHO: 0x08,
  DUMP_INTR: 0x10,
  DUMP_FILTERED: 0x20,
  /** Get requests. */
  ROOT: 0x100,
  MATCH: 0x200,
  DUMP: 0x300,
  /** New requests. */
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  /** Delete requests. */
  NONREC: 0x100,
  BULK: 0x200,
  /** Acknowledgements. */
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

/** One message of a datagram: header fields and where its payload lies. */
export interface MessageFrame {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  readonly source: WireSource;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** Calls `visit` for each message of a datagram (or of several, one behind the other). */
export function forEachMessage(source: WireSource, visit: (frame: MessageFrame) => void): void {
  let at = 0;
  while (at < source.length) {
    const left = source.length - at;
    if (left < MESSAGE_HEADER_BYTES)
      throw new DecodeError('', at, `a message header of 16 bytes expected, ${left} left`);
    const length = source.u32(at);
    if (length < MESSAGE_HEADER_BYTES || length > left) {
      throw new DecodeError('', at, `message length ${length} is not within 16..${left}`);
    }
    visit({
      type: source.u16(at + 4),
      flags: source.u16(at + 6),
      sequence: source.u32(at + 8),
      portId: source.u32(at + 12),
      source,
      payloadStart: at + MESSAGE_HEADER_BYTES,
      payloadEnd: at + length,
    });
    at += align4(length);
  }
}
