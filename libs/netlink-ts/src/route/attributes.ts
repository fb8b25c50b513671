import { attribute, attributeTable, nested } from '../wire/attribute-table.ts';
import { be16, ip, nestBytes, u16, u32, u8 } from '../wire/scalars.ts';
import { s32At, struct, u32At } from '../wire/struct.ts';
import { RTA } from './constants.ts';
import { routeMetricsTable } from './metrics.ts';
import { multipath } from './multipath.ts';
import { via } from './via.ts';

/** What every routing family uses in the same way. */
const familyless = {
  iif: attribute(RTA.IIF, u32),
  /** Outgoing device. */
  oif: attribute(RTA.OIF, u32),
  /** The route's metric: the lowest wins. */
  priority: attribute(RTA.PRIORITY, u32),
  /** The full table number. */
  table: attribute(RTA.TABLE, u32),
  /** Nexthop object. */
  nexthopId: attribute(RTA.NH_ID, u32),
};

export const routeTable = attributeTable({
  /** Absent for a default route. */
  dst: attribute(RTA.DST, ip),
  src: attribute(RTA.SRC, ip),
  ...familyless,
  gateway: attribute(RTA.GATEWAY, ip),
  /** Source address for packets of this machine. */
  prefSrc: attribute(RTA.PREFSRC, ip),
  metrics: attribute(RTA.METRICS, nested(routeMetricsTable)),
  multipath: attribute(RTA.MULTIPATH, multipath),
  flow: attribute(RTA.FLOW, u32),
  cacheInfo: attribute(
    RTA.CACHEINFO,
    struct(32, {
      clntref: u32At(0),
      lastUse: u32At(4),
      expires: s32At(8),
      error: u32At(12),
      used: u32At(16),
      id: u32At(20),
      ts: u32At(24),
      tsAge: u32At(28),
    }),
  ),
  mark: attribute(RTA.MARK, u32),
  /** Gateway of the other family. */
  via: attribute(RTA.VIA, via),
  /** Router preference of IPv6 (RFC 4191): 0 medium, 1 high, 3 low. */
  pref: attribute(RTA.PREF, u8),
  /** LWTUNNEL_ENCAP_*. */
  encapType: attribute(RTA.ENCAP_TYPE, u16),
  /** Settings of the encapsulation, undecoded. */
  encap: attribute(RTA.ENCAP, nestBytes),
  /** Request: seconds until the route goes away by itself (IPv6). */
  expires: attribute(RTA.EXPIRES, u32),
  uid: attribute(RTA.UID, u32),
  ttlPropagate: attribute(RTA.TTL_PROPAGATE, u8),
  ipProto: attribute(RTA.IP_PROTO, u8),
  sport: attribute(RTA.SPORT, be16),
  dport: attribute(RTA.DPORT, be16),
});

/** For families whose addresses are no IP addresses (MPLS): these stay under `unknown`. */
export const foreignRouteTable = attributeTable(familyless);
