/** What the probes and `status` answer. */
import type { AgentStatusMessage } from '@canal/agent-protocol';
import type { RuleView } from '@canal/rules-ast';
import type { Clock } from '@canal/runtime-port';
import type { HealthAnswer, ProblemLog } from '@canal/telemetry';
import type { ClusterWatch } from './cluster-watch.ts';
import type { Endpoints } from './endpoints.ts';
import type { Policies } from './policies.ts';
import type { Reports } from './reports.ts';
import type { RuleRunner } from './rule-runner.ts';
import { NOT_SERVED } from './node-service.ts';

export interface AgentStatusDeps {
  readonly watch: Pick<ClusterWatch, 'status' | 'inSync'>;
  readonly runner: Pick<RuleRunner, 'alive' | 'failing' | 'everSynced' | 'lastSyncMs'>;
  readonly endpoints: Pick<Endpoints, 'size'>;
  readonly policies: Pick<Policies, 'size'>;
  readonly reports: Pick<Reports, 'isolated'>;
  readonly problems: Pick<ProblemLog, 'open'>;
  readonly view: RuleView;
  readonly clock: Clock;
  readonly options: { readonly version: string; readonly node: string; readonly strict: boolean };
}

export interface AgentStatus {
  readonly healthz: () => HealthAnswer;
  readonly readyz: () => HealthAnswer;
  readonly status: () => AgentStatusMessage;
}

/** A restart by the kubelet is worth a try then. */
const UNHEALTHY_AFTER_MS = 60_000;

export function createAgentStatus(deps: AgentStatusDeps): AgentStatus {
  const { watch, runner, endpoints, policies, reports, problems, view, clock, options } = deps;

  function healthz(): HealthAnswer {
    if (!runner.alive) return { ok: false, text: 'the loop that writes rules does not turn' };
    const { failing } = runner;
    if (failing === undefined || clock.nowMs() - failing.sinceMs < UNHEALTHY_AFTER_MS) return { ok: true, text: 'ok' };
    return { ok: false, text: `the kernel refuses the policy rules: ${failing.error.message}` };
  }

  /**
   * Once in sync the API server does not count: the rules in the kernel stay right for what is known. Without its socket
   * no pod can be added.
   */
  function reasons(): readonly string[] {
    const waits = watch
      .status()
      .filter(({ inSync }) => !inSync)
      .map(({ kind, error }) => `waiting for the list of ${kind} objects${error === undefined ? '' : `: ${error}`}`);
    if (runner.failing !== undefined) waits.push(`the kernel refuses the rules: ${runner.failing.error.message}`);
    else if (waits.length === 0 && !runner.everSynced) waits.push('the rules are not in the kernel yet');
    return [...waits, ...problems.open().flatMap(({ event, message }) => (event === NOT_SERVED ? [message] : []))];
  }

  /** What people should know beside. */
  function notes(): readonly string[] {
    return problems.open().flatMap(({ event, message }) => (event === NOT_SERVED ? [] : [message]));
  }

  function readyz(): HealthAnswer {
    const why = reasons();
    return { ok: why.length === 0, text: [...(why.length === 0 ? ['ok'] : why), ...notes()].join('\n') };
  }

  function status(): AgentStatusMessage {
    const why = reasons();
    const sets = [...view.sets()];
    const { lastSyncMs } = runner;
    return {
      version: options.version,
      node: options.node,
      ready: why.length === 0,
      notes: [...why, ...notes()],
      strict: options.strict,
      streams: watch.status(),
      ...(lastSyncMs !== undefined && { lastSync: new Date(lastSyncMs).toISOString() }),
      counts: {
        endpoints: endpoints.size,
        isolated: reports.isolated,
        policies: policies.size,
        chains: [...view.chains()].length,
        sets: sets.length,
        members: sets.reduce((sum, { id }) => sum + view.memberCount(id), 0),
      },
    };
  }

  return { healthz, readyz, status };
}
