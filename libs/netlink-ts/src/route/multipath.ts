import { attribute, type AttributesOf, attributeTable } from '../wire/attribute-table.ts';
import { type AttributeCodec } from '../wire/attribute-codec.ts';
import { align4 } from '../wire/byte-order.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { ip, nestBytes, u16, u32 } from '../wire/scalars.ts';
import { RTA } from './constants.ts';
import { via } from './via.ts';

const NEXT_HOP_HEADER_BYTES = 8;

const nextHopTable = attributeTable({
  gateway: attribute(RTA.GATEWAY, ip),
  via: attribute(RTA.VIA, via),
  flow: attribute(RTA.FLOW, u32),
  encapType: attribute(RTA.ENCAP_TYPE, u16),
  encap: attribute(RTA.ENCAP, nestBytes),
});

/** One path of a multipath route. */
export type NextHop = AttributesOf<typeof nextHopTable> & {
  /** RTNH_F_*. */
  readonly flags: number;
  /** Weight minus one. */
  readonly hops: number;
  /** Outgoing device. */
  readonly index: number;
};

/**
 * RTA_MULTIPATH: an array of struct rtnexthop, each followed by attributes:
 *
 *     0     2       3      4         8                len   align4(len)
 *     | len | flags | hops | index   | attributes ... | pad |
 */
export const multipath: AttributeCodec<readonly NextHop[]> = {
  encode: (writer, nextHops) => {
    for (const nextHop of nextHops) {
      const mark = writer.beginAttribute(0);
      // Shares its first field with an attribute: the length. What follows is the structure's own.
      writer.patchU8(mark + 2, nextHop.flags);
      writer.patchU8(mark + 3, nextHop.hops);
      writer.u32(nextHop.index);
      nextHopTable.encode(writer, nextHop);
      writer.endAttribute(mark);
    }
  },
  decode: (source, start, end) => {
    const nextHops: NextHop[] = [];
    for (let at = start; at < end;) {
      const length = end - at < NEXT_HOP_HEADER_BYTES ? 0 : source.u16(at);
      if (length < NEXT_HOP_HEADER_BYTES || at + length > end) {
        throw new DecodeError('', at, `next hop length ${length} is not within 8..${end - at}`);
      }
      const nextHop = { flags: source.u8(at + 2), hops: source.u8(at + 3), index: source.s32(at + 4) };
      nextHopTable.decode(source, at + NEXT_HOP_HEADER_BYTES, at + length, nextHop);
      nextHops.push(nextHop);
      at += align4(length);
    }
    return nextHops;
  },
};
