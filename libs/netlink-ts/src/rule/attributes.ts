import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { be64, bool8, cstring, ip, u32, u8 } from '../wire/scalars.ts';
import { struct, u16At, u32At } from '../wire/struct.ts';
import { FRA } from './constants.ts';

const portRange = struct(4, { start: u16At(0), end: u16At(2) });

export const ruleTable = attributeTable({
  dst: attribute(FRA.DST, ip),
  src: attribute(FRA.SRC, ip),
  iifName: attribute(FRA.IIFNAME, cstring),
  /** Priority of the rule to go on with (FR_ACT_GOTO). */
  goto: attribute(FRA.GOTO, u32),
  /** Order of the rules; they are tried from the lowest up. */
  priority: attribute(FRA.PRIORITY, u32),
  fwmark: attribute(FRA.FWMARK, u32),
  flow: attribute(FRA.FLOW, u32),
  tunId: attribute(FRA.TUN_ID, be64),
  suppressIfgroup: attribute(FRA.SUPPRESS_IFGROUP, u32),
  /** Ignore routes found whose prefix is not longer; 0xffffffff: off. */
  suppressPrefixLen: attribute(FRA.SUPPRESS_PREFIXLEN, u32),
  table: attribute(FRA.TABLE, u32),
  fwmask: attribute(FRA.FWMASK, u32),
  oifName: attribute(FRA.OIFNAME, cstring),
  l3mdev: attribute(FRA.L3MDEV, bool8),
  uidRange: attribute(FRA.UID_RANGE, struct(8, { start: u32At(0), end: u32At(4) })),
  /** RTPROT_*. */
  protocol: attribute(FRA.PROTOCOL, u8),
  ipProto: attribute(FRA.IP_PROTO, u8),
  sportRange: attribute(FRA.SPORT_RANGE, portRange),
  dportRange: attribute(FRA.DPORT_RANGE, portRange),
});
