/** All metrics of the node agent, registered here alone beside those that agents have in common. Labels never hold an address, a pod or a node. */
import type { Counter, Gauge, Histogram, Metrics } from '@canal/runtime-port';
import { type CommonMetrics, createCommonMetrics } from '@canal/telemetry';

export interface AgentMetrics extends CommonMetrics {
  readonly applySeconds: Histogram;
  readonly operationErrors: Counter;
  readonly peers: Gauge;
  readonly peersReachable: Gauge;
  readonly peerRttSeconds: Histogram;
  readonly leaseInfo: Gauge;
  readonly leaseChanges: Counter;
  readonly podMtuBytes: Gauge;
  readonly apiConnected: Gauge;
  readonly apiReconnects: Counter;
  readonly foreignDrops: Gauge;
  readonly addressesInUse: Gauge;
  readonly addressesUnowned: Gauge;
  readonly addressesReleased: Counter;
  readonly questions: Counter;
}

export function createAgentMetrics(metrics: Metrics, version: string): AgentMetrics {
  return {
    ...createCommonMetrics(metrics, version),
    applySeconds: metrics.histogram({
      name: 'canal_dataplane_apply_seconds',
      help: 'Time of one turn: read the kernel, compare, write the differences.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    }),
    operationErrors: metrics.counter({
      name: 'canal_dataplane_errors_total',
      help: 'Changes that the kernel refused, by kind of object.',
      labelNames: ['kind'],
    }),
    peers: metrics.gauge({
      name: 'canal_peers',
      help: 'Other nodes by what became of them: programmed or refused.',
      labelNames: ['state'],
    }),
    peersReachable: metrics.gauge({
      name: 'canal_peers_reachable',
      help: 'Peers by whether they answer pings through the tunnel: answering or silent.',
      labelNames: ['state'],
    }),
    peerRttSeconds: metrics.histogram({
      name: 'canal_peer_rtt_seconds',
      help: 'Round trip of pings to peers, by the way that pods take.',
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    }),
    leaseInfo: metrics.gauge({
      name: 'canal_lease_info',
      help: 'Always 1 while this node has its pod subnets.',
      labelNames: ['backend', 'families'],
    }),
    leaseChanges: metrics.counter({
      name: 'canal_lease_changes_total',
      help: "Changes of this node's own pod subnets or public addresses.",
    }),
    podMtuBytes: metrics.gauge({ name: 'canal_pod_mtu_bytes', help: 'MTU given to pods.' }),
    apiConnected: metrics.gauge({
      name: 'canal_apiserver_connected',
      help: '1 while the watch of nodes is connected.',
    }),
    apiReconnects: metrics.counter({
      name: 'canal_apiserver_watch_restarts_total',
      help: 'Times that the watch of nodes broke off.',
    }),
    foreignDrops: metrics.gauge({
      name: 'canal_foreign_forward_drops',
      help: 'Rules or policies of others that drop forwarded pod traffic.',
    }),
    addressesInUse: metrics.gauge({ name: 'canal_ipam_in_use', help: 'Pod addresses that are given out.' }),
    addressesUnowned: metrics.gauge({
      name: 'canal_ipam_leaked',
      help: 'Pod addresses given out without a live sandbox, released when that lasts.',
    }),
    addressesReleased: metrics.counter({
      name: 'canal_ipam_gc_total',
      help: 'Pod addresses released because no live sandbox owned them.',
    }),
    questions: metrics.counter({
      name: 'canal_node_questions_total',
      help: 'Questions about this node that came over its socket or the node API.',
      labelNames: ['op', 'outcome'],
    }),
  };
}
