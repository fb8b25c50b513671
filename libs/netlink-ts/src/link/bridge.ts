import { attribute, type AttributesOf, attributeTable } from '../wire/attribute-table.ts';
import { be16, bool8, bytes, flag, mac, u16, u32, u64, u8 } from '../wire/scalars.ts';
import { struct, u32At } from '../wire/struct.ts';

/** A bridge's own settings, IFLA_BR_* (linux/if_link.h). Times are in hundredths of a second (USER_HZ). */
export const bridgeTable = attributeTable({
  forwardDelay: attribute(1, u32),
  helloTime: attribute(2, u32),
  maxAge: attribute(3, u32),
  ageingTime: attribute(4, u32),
  /** 0 off, 1 kernel, 2 user space. */
  stpState: attribute(5, u32),
  priority: attribute(6, u16),
  vlanFiltering: attribute(7, bool8),
  /** EtherType, 0x8100 or 0x88a8. */
  vlanProtocol: attribute(8, be16),
  groupForwardMask: attribute(9, u16),
  rootId: attribute(10, bytes),
  bridgeId: attribute(11, bytes),
  rootPort: attribute(12, u16),
  rootPathCost: attribute(13, u32),
  topologyChange: attribute(14, bool8),
  topologyChangeDetected: attribute(15, bool8),
  helloTimer: attribute(16, u64),
  tcnTimer: attribute(17, u64),
  topologyChangeTimer: attribute(18, u64),
  gcTimer: attribute(19, u64),
  groupAddress: attribute(20, mac),
  /** Request only: forget all learned addresses. */
  fdbFlush: attribute(21, flag),
  mcastRouter: attribute(22, u8),
  mcastSnooping: attribute(23, bool8),
  mcastQueryUseIfaddr: attribute(24, bool8),
  mcastQuerier: attribute(25, bool8),
  mcastHashElasticity: attribute(26, u32),
  mcastHashMax: attribute(27, u32),
  mcastLastMemberCount: attribute(28, u32),
  mcastStartupQueryCount: attribute(29, u32),
  mcastLastMemberInterval: attribute(30, u64),
  mcastMembershipInterval: attribute(31, u64),
  mcastQuerierInterval: attribute(32, u64),
  mcastQueryInterval: attribute(33, u64),
  mcastQueryResponseInterval: attribute(34, u64),
  mcastStartupQueryInterval: attribute(35, u64),
  nfCallIptables: attribute(36, bool8),
  nfCallIp6tables: attribute(37, bool8),
  nfCallArptables: attribute(38, bool8),
  vlanDefaultPvid: attribute(39, u16),
  vlanStatsEnabled: attribute(41, bool8),
  mcastStatsEnabled: attribute(42, bool8),
  mcastIgmpVersion: attribute(43, u8),
  mcastMldVersion: attribute(44, u8),
  vlanStatsPerPort: attribute(45, bool8),
  multiBoolopt: attribute(46, struct(8, { value: u32At(0), mask: u32At(4) })),
});

export type BridgeData = AttributesOf<typeof bridgeTable>;
