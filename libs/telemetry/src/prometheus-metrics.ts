// eslint-disable-next-line @typescript-eslint/triple-slash-reference -- ambient: other projects that take our source must see it
/// <reference path="./prom-client-parts.d.ts" />
import type { Metrics } from '@canal/runtime-port';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';

export interface PrometheusMetrics extends Metrics {
  /** The text exposition format, version 0.0.4. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** Seconds; an agent's work lies between a netlink request and a slow API server. */
const DEFAULT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Metrics of one process in a registry of their own. A name registered twice throws. */
export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry();
  registerProcessMetrics(registry);
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    counter({ name, help, labelNames = [] }) {
      const metric = new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
      return { inc: (labels = {}, by = 1) => metric.inc(labels, by) };
    },
    gauge({ name, help, labelNames = [] }) {
      const metric = new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
      return { set: (value, labels = {}) => metric.set(labels, value), remove: (labels) => metric.remove(labels) };
    },
    histogram({ name, help, labelNames = [], buckets = DEFAULT_BUCKETS }) {
      const options = { name, help, labelNames: [...labelNames], buckets: [...buckets], registers: [registry] };
      const metric = new Histogram(options);
      return { observe: (value, labels = {}) => metric.observe(labels, value) };
    },
  };
}

/** The process_* names that every Prometheus client gives; read when asked, so they cost nothing between scrapes. */
function registerProcessMetrics(registry: Registry): void {
  const registers = [registry];
  const started = Date.now() / 1000 - process.uptime();
  new Gauge({ name: 'process_start_time_seconds', help: 'Start time since the epoch.', registers }).set(started);
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time spent.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
}
