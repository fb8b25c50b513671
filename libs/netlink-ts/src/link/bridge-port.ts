import { attribute, type AttributesOf, attributeTable } from '../wire/attribute-table.ts';
import { bool8, bytes, flag, u16, u32, u64, u8 } from '../wire/scalars.ts';

/** A port's settings, IFLA_BRPORT_* (linux/if_link.h): the slave data of a bridge's member. */
export const bridgePortTable = attributeTable({
  /** BR_STATE_*: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking. */
  state: attribute(1, u8),
  priority: attribute(2, u16),
  cost: attribute(3, u32),
  /** Hairpin: frames may leave by the port they came in (IFLA_BRPORT_MODE). */
  hairpin: attribute(4, bool8),
  guard: attribute(5, bool8),
  protect: attribute(6, bool8),
  fastLeave: attribute(7, bool8),
  learning: attribute(8, bool8),
  unicastFlood: attribute(9, bool8),
  proxyArp: attribute(10, bool8),
  learningSync: attribute(11, bool8),
  proxyArpWifi: attribute(12, bool8),
  rootId: attribute(13, bytes),
  bridgeId: attribute(14, bytes),
  designatedPort: attribute(15, u16),
  designatedCost: attribute(16, u16),
  id: attribute(17, u16),
  number: attribute(18, u16),
  topologyChangeAck: attribute(19, bool8),
  configPending: attribute(20, bool8),
  messageAgeTimer: attribute(21, u64),
  forwardDelayTimer: attribute(22, u64),
  holdTimer: attribute(23, u64),
  /** Request only: forget what was learned on the port. */
  flush: attribute(24, flag),
  multicastRouter: attribute(25, u8),
  mcastFlood: attribute(27, bool8),
  mcastToUcast: attribute(28, bool8),
  vlanTunnel: attribute(29, bool8),
  bcastFlood: attribute(30, bool8),
  groupForwardMask: attribute(31, u16),
  neighSuppress: attribute(32, bool8),
  /** Isolated ports exchange no frames with each other. */
  isolated: attribute(33, bool8),
  backupPort: attribute(34, u32),
  mrpRingOpen: attribute(35, bool8),
  mrpInOpen: attribute(36, bool8),
  mcastEhtHostsLimit: attribute(37, u32),
  mcastEhtHostsCount: attribute(38, u32),
  locked: attribute(39, bool8),
  mab: attribute(40, bool8),
  mcastGroups: attribute(41, u32),
  mcastMaxGroups: attribute(42, u32),
  neighVlanSuppress: attribute(43, bool8),
  backupNexthopId: attribute(44, u32),
});

export type BridgePortData = AttributesOf<typeof bridgePortTable>;
