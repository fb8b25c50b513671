/**
 * What of endpoints and policies people should hear of, as Events of the pod and of the policy. Looked at after changes,
 * a second later at the most: states that pass are not told. A pod that nobody can name is the node's problem.
 */
import type { PolicyEndpoint } from '@canal/model';
import type { EndpointStatus, PolicyEngine, PolicyStatus } from '@canal/policy-compile';
import type { Clock, Logger } from '@canal/runtime-port';
import type { EventRecorder, EventSink } from '@canal/store-kube';
import type { ProblemLog } from '@canal/telemetry';
import type { AgentMetrics } from './agent-metrics.ts';
import { NO_UID } from './local-pods.ts';

export interface ReportsDeps {
  readonly engine: Pick<PolicyEngine, 'endpointStatuses' | 'policyStatuses'>;
  /** 0 when no policy has problems: else the statuses of all are worked out. */
  readonly invalidPolicies: () => number;
  readonly events: EventRecorder;
  readonly problems: Pick<ProblemLog, 'update'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
}

const INTERVAL_MS = 1_000;

export class Reports {
  readonly #deps: ReportsDeps;
  /** Why an endpoint is isolated, as far as an announcement told. */
  readonly #reasons = new Map<string, string>();
  /** Endpoints that were told to be isolated. */
  readonly #toldIsolated = new Set<string>();
  /** The problems that were told of each policy. */
  readonly #toldProblems = new Map<string, string>();
  #isolated = 0;
  #changed = true;

  constructor(deps: ReportsDeps) {
    this.#deps = deps;
  }

  changed(): void {
    this.#changed = true;
  }

  /** For the text of the Event. */
  isolatedFor(endpoint: PolicyEndpoint, reason: string): void {
    this.#reasons.set(endpoint.key, reason);
    this.#changed = true;
  }

  /** Endpoints that were isolated because their pod is not known, when last looked at. */
  get isolated(): number {
    return this.#isolated;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#changed) {
        this.#changed = false;
        this.#endpoints();
        this.#policies();
      }
      await this.#deps.clock.sleep(INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  #endpoints(): void {
    const { engine, metrics } = this.#deps;
    const statuses = [...engine.endpointStatuses()];
    const isolated = statuses.filter(({ state }) => state !== 'policed');
    this.#isolated = isolated.length;
    metrics.endpoints.set(statuses.length);
    metrics.failClosedEndpoints.set(isolated.length);
    for (const status of isolated) this.#tellIsolated(status);
    this.#tellNameless(isolated);
    const keys = new Map(statuses.map((status) => [status.endpoint.key, status]));
    for (const key of this.#toldIsolated) {
      const status = keys.get(key);
      if (status !== undefined && status.state !== 'policed') continue;
      this.#toldIsolated.delete(key);
      if (status !== undefined) this.#tellOpened(status);
    }
    for (const key of this.#reasons.keys()) if (keys.get(key)?.state !== 'unknown-pod') this.#reasons.delete(key);
  }

  #tellIsolated({ endpoint, state }: EndpointStatus): void {
    if (this.#toldIsolated.has(endpoint.key)) return;
    this.#toldIsolated.add(endpoint.key);
    const reason =
      state === 'address-taken'
        ? 'another pod of this node has one of its addresses'
        : (this.#reasons.get(endpoint.key) ??
          (endpoint.pod === undefined ? NO_UID : 'the API server has not told of the pod'));
    this.#deps.log.warn({ endpoint: endpoint.key, pod: endpoint.pod, reason }, 'a pod is isolated');
    this.#about(endpoint)?.emit({
      type: 'Warning',
      reason: 'NetworkNotReady',
      message: `isolated in both directions: ${reason}. It is opened as soon as that is over`,
    });
  }

  /** These never open by themselves: an Event of the node says what to do. */
  #tellNameless(isolated: readonly EndpointStatus[]): void {
    const keys = isolated.flatMap(({ endpoint }) => (endpoint.pod === undefined ? [endpoint.key] : []));
    const message = `pods that stay isolated: ${keys.length} (${keys[0] ?? ''} …), since ${NO_UID}`;
    const complaint = { key: 'uid', severity: 'error', event: 'PodUidUnknown', message } as const;
    this.#deps.problems.update('endpoints', keys.length === 0 ? [] : [complaint]);
  }

  #tellOpened({ endpoint }: EndpointStatus): void {
    this.#deps.log.info({ endpoint: endpoint.key, pod: endpoint.pod }, 'a pod that was isolated is policed');
    this.#about(endpoint)?.emit({ type: 'Normal', reason: 'NetworkReady', message: 'policy of the pod is in force' });
  }

  #about({ pod }: PolicyEndpoint): EventSink | undefined {
    return pod && this.#deps.events.about({ apiVersion: 'v1', kind: 'Pod', ...pod });
  }

  /** Only nodes where it matters tell: there may be thousands. */
  #policies(): void {
    const { engine, invalidPolicies } = this.#deps;
    const invalid =
      invalidPolicies() === 0 ? [] : [...engine.policyStatuses()].filter(({ problems }) => problems.length > 0);
    for (const status of invalid) if (status.localEndpoints > 0) this.#tellProblems(status);
    const names = new Set(invalid.map(({ policy }) => policy));
    for (const policy of this.#toldProblems.keys()) if (!names.has(policy)) this.#toldProblems.delete(policy);
  }

  #tellProblems({ policy, uid, problems }: PolicyStatus): void {
    const text = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ');
    if (this.#toldProblems.get(policy) === text) return;
    this.#toldProblems.set(policy, text);
    const [namespace = '', name = ''] = policy.split('/');
    const sink = this.#deps.events.about({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      namespace,
      name,
      uid,
    });
    sink.emit({ type: 'Warning', reason: 'InvalidPolicy', message: text });
  }
}
