import { attribute, type AttributesOf, attributeTable } from '../wire/attribute-table.ts';
import { cstring, u32 } from '../wire/scalars.ts';

/** RTA_METRICS, RTAX_* (linux/rtnetlink.h). */
export const routeMetricsTable = attributeTable({
  /** Bits of the metrics (1 << RTAX_*) that path discovery must not change. */
  lock: attribute(1, u32),
  mtu: attribute(2, u32),
  window: attribute(3, u32),
  rtt: attribute(4, u32),
  rttVar: attribute(5, u32),
  ssthresh: attribute(6, u32),
  cwnd: attribute(7, u32),
  advMss: attribute(8, u32),
  reordering: attribute(9, u32),
  hopLimit: attribute(10, u32),
  initCwnd: attribute(11, u32),
  features: attribute(12, u32),
  rtoMin: attribute(13, u32),
  initRwnd: attribute(14, u32),
  quickAck: attribute(15, u32),
  ccAlgo: attribute(16, cstring),
  fastopenNoCookie: attribute(17, u32),
});

export type RouteMetrics = AttributesOf<typeof routeMetricsTable>;

/** Bit of `lock` that keeps `mtu` fixed. */
export const RTAX_LOCK_MTU: number = 1 << 2;
