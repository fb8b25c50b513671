import type { WireSource } from './wire-source.ts';
import type { WireWriter } from './wire-writer.ts';

/** nla_type flag bits and the mask of the type proper (linux/netlink.h). */
export const NLA_F_NESTED = 0x8000;
export const NLA_F_NET_BYTEORDER = 0x4000;
export const NLA_TYPE_MASK = 0x3fff;

/** How the payload of one attribute is written and read. */
export interface AttributeCodec<T> {
  /** The payload is attributes itself: NLA_F_NESTED is set on the type, as strict kernels ask. */
  readonly nested?: boolean;
  encode(writer: WireWriter, value: T): void;
  /**
   * Reads the payload in [start, end). Undefined means "well-formed, but not this codec's shape" (a link address that
   * is no MAC): the attribute is then kept as unknown. Broken payloads throw a DecodeError.
   */
  decode(source: WireSource, start: number, end: number): T | undefined;
}

/** An attribute that the schema does not name, kept as it came: type with its flag bits, payload. */
export interface UnknownAttribute {
  readonly type: number;
  readonly bytes: Uint8Array;
}
