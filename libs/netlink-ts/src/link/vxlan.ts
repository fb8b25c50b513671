import type { AttributeCodec } from '../wire/attribute-codec.ts';
import { attribute, type AttributesOf, attributeTable } from '../wire/attribute-table.ts';
import { be16, be32, bool8, flag, ipv4, ipv6, u32, u8 } from '../wire/scalars.ts';
import { be16At, struct } from '../wire/struct.ts';

/** IFLA_VXLAN_TTL_INHERIT is a flag in requests and a byte in answers. `false` cannot be requested: leave it out. */
const flagOrByte: AttributeCodec<boolean> = {
  encode: (writer, value) => {
    if (!value) writer.u8(0);
  },
  decode: (source, start, end) => end === start || bool8.decode(source, start, end),
};

/** A vxlan device, IFLA_VXLAN_* (linux/if_link.h). */
export const vxlanTable = attributeTable({
  /** VNI. */
  id: attribute(1, u32),
  group: attribute(2, ipv4),
  /** Index of the device that encapsulated packets leave by. */
  link: attribute(3, u32),
  /** Outer source address. */
  local: attribute(4, ipv4),
  ttl: attribute(5, u8),
  tos: attribute(6, u8),
  learning: attribute(7, bool8),
  /** Seconds. */
  ageing: attribute(8, u32),
  limit: attribute(9, u32),
  /** Outer UDP source ports. */
  portRange: attribute(10, struct(4, { low: be16At(0), high: be16At(2) })),
  proxy: attribute(11, bool8),
  rsc: attribute(12, bool8),
  l2Miss: attribute(13, bool8),
  l3Miss: attribute(14, bool8),
  /** Outer UDP destination port. */
  port: attribute(15, be16),
  group6: attribute(16, ipv6),
  local6: attribute(17, ipv6),
  udpCsum: attribute(18, bool8),
  udpZeroCsum6Tx: attribute(19, bool8),
  udpZeroCsum6Rx: attribute(20, bool8),
  remcsumTx: attribute(21, bool8),
  remcsumRx: attribute(22, bool8),
  /** Group Based Policy extension. */
  gbp: attribute(23, flag),
  remcsumNopartial: attribute(24, flag),
  collectMetadata: attribute(25, bool8),
  label: attribute(26, be32),
  gpe: attribute(27, flag),
  ttlInherit: attribute(28, flagOrByte),
  df: attribute(29, u8),
  vniFilter: attribute(30, bool8),
  localBypass: attribute(31, bool8),
});

export type VxlanData = AttributesOf<typeof vxlanTable>;
