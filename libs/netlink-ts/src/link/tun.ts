import { attribute, type AttributesOf, attributeTable } from '../wire/attribute-table.ts';
import { bool8, u32, u8 } from '../wire/scalars.ts';

/** A TUN or TAP device, IFLA_TUN_* (linux/if_link.h). Read only: such devices are made by ioctl on /dev/net/tun. */
export const tunTable = attributeTable({
  /** User id allowed to attach. */
  owner: attribute(1, u32),
  group: attribute(2, u32),
  /** IFF_TUN (1) or IFF_TAP (2). */
  type: attribute(3, u8),
  /** Packets carry struct tun_pi in front. */
  pi: attribute(4, bool8),
  vnetHeader: attribute(5, bool8),
  persist: attribute(6, bool8),
  multiQueue: attribute(7, bool8),
  numQueues: attribute(8, u32),
  numDisabledQueues: attribute(9, u32),
});

export type TunData = AttributesOf<typeof tunTable>;
