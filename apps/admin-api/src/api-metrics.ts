/** What the admin API counts of itself. */
import type { Counter, Histogram } from '@canal/runtime-port';
import type { PrometheusMetrics } from '@canal/telemetry';

export interface ApiMetrics {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly streamEnds: Counter;
  /** By what was not done in time: handshake, head, body, answer; or `evicted`, `full`. */
  readonly cutConnections: Counter;
  readonly contentType: string;
  /** Of connections the listener tells itself. */
  setConnections(count: number): void;
  render(now: { readonly streams: number; readonly inFlight: number }): Promise<string>;
}

export function createApiMetrics(metrics: PrometheusMetrics, version: string): ApiMetrics {
  metrics
    .gauge({ name: 'canal_build_info', help: 'Always 1; the labels tell what runs.', labelNames: ['version'] })
    .set(1, { version });
  const streams = metrics.gauge({ name: 'canal_admin_streams', help: 'Open event streams.' });
  const inFlight = metrics.gauge({ name: 'canal_admin_requests_in_flight', help: 'Requests that are worked on.' });
  const connections = metrics.gauge({ name: 'canal_admin_connections', help: 'Open connections, of whatever state.' });
  return {
    requests: metrics.counter({
      name: 'canal_admin_requests_total',
      help: 'Answered requests, by operationId and status.',
      labelNames: ['operation', 'status'],
    }),
    duration: metrics.histogram({
      name: 'canal_admin_request_duration_seconds',
      help: 'From the head of a request to the end of its answer; of streams their whole life.',
      labelNames: ['operation'],
    }),
    streamEnds: metrics.counter({
      name: 'canal_admin_stream_ends_total',
      help: 'Event streams that ended, by how: over, slow, gone, failed.',
      labelNames: ['how'],
    }),
    cutConnections: metrics.counter({
      name: 'canal_admin_cut_connections_total',
      help: 'Connections that were cut, by what did not come in time.',
      labelNames: ['reason'],
    }),
    contentType: metrics.contentType,
    setConnections: (count) => connections.set(count),
    async render(now) {
      streams.set(now.streams);
      inFlight.set(now.inFlight);
      return await metrics.render();
    },
  };
}
