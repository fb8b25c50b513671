import type { AttributeCodec } from '../wire/attribute-codec.ts';
import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { flag, ip, nestBytes, u16, u32 } from '../wire/scalars.ts';
import { NHA } from './constants.ts';

/** A member of a nexthop group. */
export interface NexthopGroupEntry {
  readonly id: number;
  /** Weight minus one. */
  readonly weight: number;
}

const GROUP_ENTRY_BYTES = 8;

/** NHA_GROUP: an array of struct nexthop_grp { u32 id; u8 weight; u8 weight_high; u16 reserved }. */
const group: AttributeCodec<readonly NexthopGroupEntry[]> = {
  encode: (writer, entries) => {
    for (const { id, weight } of entries) {
      writer.u32(id);
      writer.u8(weight & 0xff);
      writer.u8(weight >> 8);
      writer.u16(0);
    }
  },
  decode: (source, start, end) => {
    if ((end - start) % GROUP_ENTRY_BYTES !== 0) {
      throw new DecodeError('', start, `a multiple of 8 bytes expected, ${end - start} found`);
    }
    const entries: NexthopGroupEntry[] = [];
    for (let at = start; at < end; at += GROUP_ENTRY_BYTES) {
      entries.push({ id: source.u32(at), weight: source.u8(at + 4) | (source.u8(at + 5) << 8) });
    }
    return entries;
  },
};

export const nexthopTable = attributeTable({
  id: attribute(NHA.ID, u32),
  group: attribute(NHA.GROUP, group),
  /** 0 hash threshold, 1 resilient. */
  groupType: attribute(NHA.GROUP_TYPE, u16),
  blackhole: attribute(NHA.BLACKHOLE, flag),
  oif: attribute(NHA.OIF, u32),
  gateway: attribute(NHA.GATEWAY, ip),
  /** LWTUNNEL_ENCAP_*. */
  encapType: attribute(NHA.ENCAP_TYPE, u16),
  /** Settings of the encapsulation, undecoded. */
  encap: attribute(NHA.ENCAP, nestBytes),
  /** Request: list groups only. */
  groupsOnly: attribute(NHA.GROUPS, flag),
  /** Request: list those whose device has this master. */
  master: attribute(NHA.MASTER, u32),
  /** The nexthop is a tunnel's far end for FDB entries, not one for routes. */
  fdb: attribute(NHA.FDB, flag),
  /** NHA_OP_FLAG_*: which statistics a listing shall contain (Linux 6.9). */
  opFlags: attribute(NHA.OP_FLAGS, u32),
});
