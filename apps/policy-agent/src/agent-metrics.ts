/** All metrics of the policy agent, registered here alone beside those that agents have in common. Labels never hold an address, a pod, a policy or a node. */
import type { Counter, Gauge, Histogram, Metrics } from '@canal/runtime-port';
import { type CommonMetrics, createCommonMetrics } from '@canal/telemetry';

export interface AgentMetrics extends CommonMetrics {
  readonly programmingDelay: Histogram;
  readonly endpointReady: Histogram;
  readonly applySeconds: Histogram;
  readonly errors: Counter;
  readonly denied: Counter;
  readonly verdictsLost: Counter;
  readonly endpoints: Gauge;
  readonly failClosedEndpoints: Gauge;
  readonly policies: Gauge;
  readonly unreadableObjects: Gauge;
  readonly flowsCut: Counter;
  readonly flowsMended: Counter;
  readonly socketRequests: Counter;
  readonly apiConnected: Gauge;
  readonly apiReconnects: Counter;
}

/** Seconds: from an apply of elements to a full comparison of a large cluster. */
const APPLY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const DELAY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const READY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createAgentMetrics(metrics: Metrics, version: string): AgentMetrics {
  return {
    ...createCommonMetrics(metrics, version),
    programmingDelay: metrics.histogram({
      name: 'canal_policy_programming_delay_seconds',
      help: 'From the arrival of a changed object until the rules that follow from it are in the kernel, by kind.',
      labelNames: ['kind'],
      buckets: DELAY_BUCKETS,
    }),
    endpointReady: metrics.histogram({
      name: 'canal_endpoint_policy_ready_seconds',
      help: "From the CNI plugin's announcement of an endpoint until its rules are in the kernel.",
      buckets: READY_BUCKETS,
    }),
    applySeconds: metrics.histogram({
      name: 'canal_dataplane_apply_seconds',
      help: 'Time to write to the kernel: apply (one change), guard, resync (read all, compare, write differences), flows.',
      labelNames: ['operation'],
      buckets: APPLY_BUCKETS,
    }),
    errors: metrics.counter({
      name: 'canal_dataplane_errors_total',
      help: 'Failures of the kernel, by what was asked of it.',
      labelNames: ['operation'],
    }),
    denied: metrics.counter({
      name: 'canal_denied_packets_total',
      help: 'Denied packets that the kernel told of, by direction seen from the pod and reason; lost ones are apart.',
      labelNames: ['direction', 'reason'],
    }),
    verdictsLost: metrics.counter({
      name: 'canal_flow_records_lost_total',
      help: 'Verdicts that the kernel could not tell of, or that came faster than they were joined with policies.',
    }),
    endpoints: metrics.gauge({
      name: 'canal_policy_endpoints',
      help: "Pods' interfaces on this node that are policed.",
    }),
    failClosedEndpoints: metrics.gauge({
      name: 'canal_fail_closed_endpoints',
      help: 'Endpoints that are isolated because their pod is not known.',
    }),
    policies: metrics.gauge({
      name: 'canal_policy_objects',
      help: 'NetworkPolicies by whether all of them could be read: valid or invalid.',
      labelNames: ['state'],
    }),
    unreadableObjects: metrics.gauge({
      name: 'canal_policy_unreadable_objects',
      help: 'Objects of the API that cannot be read at all, by kind; pods that depend on them are closed.',
      labelNames: ['kind'],
    }),
    flowsCut: metrics.counter({
      name: 'canal_policy_flows_cut_total',
      help: 'Established flows that were cut because policy denies them now.',
    }),
    flowsMended: metrics.counter({
      name: 'canal_policy_flows_mended_total',
      help: 'Flows that had been cut and are allowed again.',
    }),
    socketRequests: metrics.counter({
      name: 'canal_policy_requests_total',
      help: 'Requests on the unix socket by operation and outcome (ok, or the code of the error).',
      labelNames: ['op', 'outcome'],
    }),
    apiConnected: metrics.gauge({
      name: 'canal_apiserver_connected',
      help: '1 while the watch of a kind is connected.',
      labelNames: ['kind'],
    }),
    apiReconnects: metrics.counter({
      name: 'canal_apiserver_watch_restarts_total',
      help: 'Times that a watch broke off, by kind.',
      labelNames: ['kind'],
    }),
  };
}
