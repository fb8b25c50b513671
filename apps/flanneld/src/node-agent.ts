/**
 * The agent's turns: the network, then the rules for its traffic, then the file for the CNI plugin, then what peers and
 * the scheduler are told. Everything that happens elsewhere only marks something dirty here.
 */
import { createReconciler, type Reconciler } from '@canal/reconcile';
import type { Clock, Labels, Logger } from '@canal/runtime-port';
import type { EventSink } from '@canal/store-kube';
import { type HealthAnswer, type ProblemLog, withoutProgress } from '@canal/telemetry';
import type { AgentMetrics } from './agent-metrics.ts';
import type { CniConfFile } from './cni-conf-file.ts';
import { complaintsOf } from './complaints.ts';
import type { NetworkResult, NodeNetwork } from './node-network.ts';
import type { NodePublisher } from './node-publisher.ts';
import type { NodeTable } from './node-table.ts';
import type { PolicyGate } from './policy-gate.ts';
import { describeOwn } from './own-node.ts';
import { readiness } from './readiness.ts';
import type { SubnetFile } from './subnet-file.ts';
import { subnetEnvOf } from './subnet-env-content.ts';
import type { TrafficRules } from './traffic-rules.ts';

export type AgentItem = 'network' | 'rules' | 'subnet-file' | 'cni-conf';

export interface NodeAgentDeps {
  readonly network: NodeNetwork;
  readonly rules: Pick<TrafficRules, 'sync'>;
  readonly subnetFile: SubnetFile;
  /** Absent: somebody else writes the runtime's configuration. */
  readonly cniConf?: Pick<CniConfFile, 'ensure'>;
  /** Absent: there is no policy agent. */
  readonly policyGate?: Pick<PolicyGate, 'fault'>;
  readonly publisher: Pick<NodePublisher, 'announce' | 'networkIsUp'>;
  readonly nodes: NodeTable;
  readonly problems: ProblemLog;
  readonly events: EventSink;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
  /** Called with what each turn over the network found. */
  readonly onTurn: (result: NetworkResult) => void;
}

export interface NodeAgentOptions {
  readonly ipMasq: boolean;
  readonly resyncSeconds: number;
  readonly bootId: string;
}

/** Apart enough that a burst of events is one turn, close enough that a repair takes no noticeable time. */
const MIN_INTERVAL_MS = 50;
const SHOWN_REPAIRS = 10;

export class NodeAgent {
  readonly #deps: NodeAgentDeps;
  readonly #options: NodeAgentOptions;
  readonly #loop: Reconciler<AgentItem>;
  #network: NetworkResult | undefined;
  #firstSyncDone = false;
  #apiError: string | undefined;
  /** The network could not be looked at or changed at all; refused changes are in its result. */
  #networkFault: string | undefined;
  #rulesFault: string | undefined;
  #subnetFileFault: string | undefined;
  #cniConfFault: string | undefined;
  #cniConfNotes: readonly string[] = [];
  #appended = '';
  #lease = '';
  #leaseLabels: Labels | undefined;
  #lastSyncMs: number | undefined;

  constructor(deps: NodeAgentDeps, options: NodeAgentOptions) {
    this.#deps = deps;
    this.#options = options;
    if (deps.cniConf !== undefined) this.#cniConfFault = 'the CNI configuration is not written yet';
    this.#loop = createReconciler<AgentItem>(
      { clock: deps.clock, log: withoutProgress(deps.log) },
      {
        items: ['network', 'rules', 'subnet-file', 'cni-conf'],
        turn: async (items, { signal }) => ({ failures: await this.#turn(items, signal) }),
        minIntervalMs: MIN_INTERVAL_MS,
        resyncIntervalMs: options.resyncSeconds * 1000,
        retryFirstMs: 200,
        retryLongestMs: 30_000,
      },
    );
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  markDirty(item: AgentItem): void {
    this.#loop.markDirty(item);
  }

  apiConnection(connected: boolean, error?: string): void {
    this.#apiError = connected ? undefined : error;
  }

  /** What the last turn found; absent before the first. */
  get lastResult(): NetworkResult | undefined {
    return this.#network;
  }

  /** Since the epoch: when everything was last as wanted. */
  get lastSyncMs(): number | undefined {
    return this.#lastSyncMs;
  }

  healthz(): HealthAnswer {
    const { alive, turns } = this.#loop.health();
    return alive ? { ok: true, text: `ok, ${turns} turns` } : { ok: false, text: 'the reconcile loop does not turn' };
  }

  readyz(): HealthAnswer {
    return readiness({
      nodesInSync: this.#deps.nodes.inSync,
      firstSyncDone: this.#firstSyncDone,
      ...(this.#apiError !== undefined && { apiError: this.#apiError }),
      ...(this.#network && { network: this.#network }),
      ...(this.#networkFault !== undefined && { networkFault: this.#networkFault }),
      ...(this.#rulesFault !== undefined && { rulesFault: this.#rulesFault }),
      ...(this.#subnetFileFault !== undefined && { subnetFileFault: this.#subnetFileFault }),
      ...(this.#policyFault !== undefined && { policyFault: this.#policyFault }),
      ...(this.#cniConfFault !== undefined && { cniConfFault: this.#cniConfFault }),
      notes: this.#cniConfNotes,
    });
  }

  async #turn(items: ReadonlySet<AgentItem>, signal: AbortSignal): Promise<ReadonlyMap<AgentItem, Error>> {
    const failures = new Map<AgentItem, Error>();
    const attempt = async (item: AgentItem, work: () => Promise<void> | void): Promise<void> => {
      try {
        await work();
      } catch (error) {
        failures.set(item, error instanceof Error ? error : new Error(String(error)));
      }
    };
    const first = this.#network === undefined;
    // Rules and file follow from what the network turn decides, so they are looked at with it.
    if (items.has('network') || first) await attempt('network', () => this.#turnNetwork(signal));
    if (!signal.aborted) await attempt('rules', () => this.#turnRules());
    if (!signal.aborted) await attempt('subnet-file', () => this.#writeSubnetFile());
    this.#rulesFault = failures.get('rules')?.message;
    this.#subnetFileFault = failures.get('subnet-file')?.message;
    const localUp = this.#isLocalUp();
    // Last: as soon as it is there, the runtime adds pods.
    if (!signal.aborted && localUp && this.#policyFault === undefined)
      await attempt('cni-conf', () => this.#writeCniConf());
    if (!signal.aborted) this.#afterTurn(failures, localUp);
    return failures;
  }

  async #turnNetwork(signal: AbortSignal): Promise<void> {
    const { network, metrics, clock, nodes, problems } = this.#deps;
    const startedMs = clock.nowMs();
    const result = await this.#tryNetwork(() => network.turn(signal), signal);
    metrics.applySeconds.observe((clock.nowMs() - startedMs) / 1000);
    this.#network = result;
    this.#deps.onTurn(result);
    this.#reportChanges(result);
    problems.update('network', complaintsOf(result, nodes.faults()));
    const [failure] = result.failures;
    if (failure !== undefined) throw new Error(`${result.failures.length} changes refused, first: ${failure.text}`);
  }

  async #tryNetwork(turn: () => Promise<NetworkResult>, signal: AbortSignal): Promise<NetworkResult> {
    try {
      const result = await turn();
      this.#networkFault = undefined;
      return result;
    } catch (error) {
      if (!signal.aborted) this.#networkFault = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  async #turnRules(): Promise<void> {
    const own = this.#network?.own;
    if (own === undefined) return;
    const { rules, metrics, events, problems, log } = this.#deps;
    const report = await rules.sync(own.leases);
    metrics.foreignDrops.set(report.foreignDrops.length);
    problems.update(
      'rules',
      report.foreignDrops.map(({ family, table, chain, by, message, cure }) => ({
        key: `${family} ${table} ${chain} ${by}`,
        severity: 'warning',
        event: 'ForeignForwardDrop',
        message: `${message}. Cure: ${cure}`,
      })),
    );
    const { outcome, differences } = report;
    if (outcome === 'written') log.info({ differences }, 'traffic rules written');
    if (outcome !== 'repaired') return;
    metrics.driftRepairs.inc({ kind: 'rule' });
    log.warn({ differences }, 'traffic rules repaired: others had changed them');
    const message = `traffic rules changed by others, repaired: ${differences.join('; ')}`;
    events.emit({ type: 'Warning', reason: 'DataplaneDriftRepaired', message });
  }

  /** Pods may be added when the network they will use is there, and not before. */
  #writeSubnetFile(): void {
    const { subnetFile, log, metrics } = this.#deps;
    const { own, compiled, localFaults = [] } = this.#network ?? {};
    if (own === undefined || compiled === undefined) return;
    if (subnetFile.removeIfMisleading(own.leases)) log.warn({}, 'subnet.env of another subnet removed');
    if (localFaults.length > 0 || this.#rulesFault !== undefined) return;
    const { ipMasq, bootId } = this.#options;
    const outcome = subnetFile.ensure(subnetEnvOf(own.leases, { mtuBytes: compiled.podMtuBytes, ipMasq, bootId }));
    if (outcome === 'same') return;
    log.info({ mtuBytes: compiled.podMtuBytes, outcome }, 'subnet.env written');
    if (outcome === 'repaired') metrics.driftRepairs.inc({ kind: 'file' });
  }

  #writeCniConf(): void {
    const { cniConf, log, metrics, problems } = this.#deps;
    if (cniConf === undefined) return;
    try {
      const { outcome, fault, complaints, appended } = cniConf.ensure();
      this.#cniConfFault = fault;
      this.#cniConfNotes = complaints.map(({ message }) => message).filter((message) => message !== fault);
      problems.update('cni-conf', complaints);
      const isWritten = outcome === 'written' || outcome === 'repaired';
      // With a fault it is one of many: the fault has been told.
      if (isWritten && fault === undefined) log.info({ outcome }, 'CNI configuration written');
      if (outcome === 'repaired') metrics.driftRepairs.inc({ kind: 'file' });
      const others = appended.join(', ');
      if (others !== this.#appended && others !== '') log.info({ plugins: others }, 'others have appended CNI plugins');
      this.#appended = others;
    } catch (error) {
      this.#cniConfFault = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  /** Why pods cannot have their rules yet. */
  get #policyFault(): string | undefined {
    return this.#deps.policyGate?.fault;
  }

  /** This node forwards for its pods, and what it knows of the others is complete. */
  #isLocalUp(): boolean {
    const { own, compiled, localFaults = [] } = this.#network ?? {};
    const faults = [this.#networkFault, this.#rulesFault, this.#subnetFileFault];
    if (own === undefined || compiled === undefined || !this.#deps.nodes.inSync) return false;
    return localFaults.length === 0 && faults.every((fault) => fault === undefined);
  }

  #afterTurn(failures: ReadonlyMap<AgentItem, Error>, localUp: boolean): void {
    const { nodes, publisher, metrics, timeMs, log } = this.#deps;
    const { own, compiled } = this.#network ?? {};
    if (own === undefined || compiled === undefined) return;
    if (failures.size === 0) {
      this.#lastSyncMs = timeMs();
      metrics.lastSync.set(this.#lastSyncMs / 1000);
    }
    if (!localUp) return;
    publisher.announce(compiled.announcement);
    if (this.#policyFault === undefined) publisher.networkIsUp();
    if (this.#firstSyncDone) return;
    this.#firstSyncDone = true;
    log.info({ peers: nodes.peers().length }, 'first full sync done');
  }

  #reportChanges({ own, conf, compiled, repairs, failures, operations, problems }: NetworkResult): void {
    const { metrics, log, nodes, events } = this.#deps;
    for (const { operation } of failures) metrics.operationErrors.inc({ kind: operation.type.split('-')[0] ?? '' });
    for (const { kind } of repairs) metrics.driftRepairs.inc({ kind });
    if (repairs.length > 0) {
      const shown = repairs.slice(0, SHOWN_REPAIRS).map(({ text }) => text);
      log.warn({ repairs: shown, count: repairs.length }, 'changes of others undone');
      const rest = repairs.length > shown.length ? ` and ${repairs.length - shown.length} more` : '';
      const message = `changes of others undone: ${shown.join('; ')}${rest}`;
      events.emit({ type: 'Warning', reason: 'DataplaneDriftRepaired', message });
    }
    if (operations > repairs.length) log.info({ changes: operations - repairs.length }, 'network changed');
    if (own === undefined || conf === undefined || compiled === undefined) return;
    const refused = new Set(problems.flatMap(({ severity, peer }) => (severity === 'error' && peer ? [peer] : [])));
    metrics.peers.set(nodes.peers().length - refused.size, { state: 'programmed' });
    metrics.peers.set(refused.size, { state: 'refused' });
    metrics.podMtuBytes.set(compiled.podMtuBytes);
    this.#reportLease(own, conf.backend.type);
    const families = own.leases.map(({ family }) => `IPv${family}`).join(',');
    this.#showLease({ backend: conf.backend.type, families });
  }

  #reportLease(own: NonNullable<NetworkResult['own']>, backend: string): void {
    const { metrics, log, events } = this.#deps;
    const lease = describeOwn(own);
    if (lease === this.#lease) return;
    log.info({ own: lease, backend }, 'this node');
    if (this.#lease !== '') {
      metrics.leaseChanges.inc();
      events.emit({ type: 'Normal', reason: 'NodeIPChanged', message: `this node is now ${lease}` });
    }
    this.#lease = lease;
  }

  /** One series: what was true before is not any more. */
  #showLease(labels: Labels): void {
    const { leaseInfo } = this.#deps.metrics;
    if (this.#leaseLabels !== undefined) leaseInfo.remove(this.#leaseLabels);
    leaseInfo.set(1, labels);
    this.#leaseLabels = labels;
  }
}
