/** How one network namespace numbers others: IFLA_LINK_NETNSID and its like are such numbers. */
import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { objectCodec, type InputOf, type ObjectOf } from '../wire/object-codec.ts';
import { s32, u32 } from '../wire/scalars.ts';
import { struct, u8At } from '../wire/struct.ts';

/** NETNSA_NSID of a namespace that has no number here. */
export const NETNSA_NSID_NOT_ASSIGNED = -1;

/** NETNSA_* (linux/net_namespace.h). */
const netnsIdTable = attributeTable({
  nsid: attribute(1, s32),
  /** The namespace of this process. */
  pid: attribute(2, u32),
  /** The namespace open as this file descriptor. */
  fd: attribute(3, u32),
  /** Ask on behalf of the namespace with this number. */
  targetNsid: attribute(4, s32),
  currentNsid: attribute(5, s32),
});

/** struct rtgenmsg: the family alone. */
export const netnsIdCodec = objectCodec('netns id', struct(1, { family: u8At(0) }), netnsIdTable);

export type NetnsId = ObjectOf<typeof netnsIdCodec>;
export type NetnsIdInput = InputOf<typeof netnsIdCodec>;
