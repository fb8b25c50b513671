import type { Counter, Gauge, Metrics } from '@canal/runtime-port';

/** What every agent of canal tells under the same name, with the same meaning. */
export interface CommonMetrics {
  readonly driftRepairs: Counter;
  readonly lastSync: Gauge;
  readonly problems: Gauge;
  readonly netlinkOverruns: Counter;
}

/** Registers them, and the build's own. */
export function createCommonMetrics(metrics: Metrics, version: string): CommonMetrics {
  const info = { name: 'canal_build_info', help: 'Always 1; the labels tell what runs.', labelNames: ['version'] };
  metrics.gauge(info).set(1, { version });
  return {
    driftRepairs: metrics.counter({
      name: 'canal_dataplane_drift_repairs_total',
      help: 'Changes made by others that were undone, by kind of object.',
      labelNames: ['kind'],
    }),
    lastSync: metrics.gauge({
      name: 'canal_last_successful_sync_timestamp_seconds',
      help: 'When the kernel was last found or made to be as wanted.',
    }),
    problems: metrics.gauge({
      name: 'canal_problems',
      help: 'Open problems; the log and the events of the node name them.',
      labelNames: ['severity'],
    }),
    netlinkOverruns: metrics.counter({
      name: 'canal_netlink_overruns_total',
      help: 'Times that kernel events were lost; everything is read again then.',
    }),
  };
}
