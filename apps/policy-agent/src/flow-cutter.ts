/** Strict mode: flows that a change denies are cut within a second, and those it allows again are mended. */
import type { PolicyKernel } from '@canal/kernel-port';
import { PacketJudge, type RuleDelta, type RuleEndpoint, type RuleView } from '@canal/rules-ast';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Complaint, ProblemLog } from '@canal/telemetry';
import type { Ip } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';

export interface FlowCutterDeps {
  readonly kernel: Pick<PolicyKernel, 'judgeFlows'>;
  readonly view: RuleView;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  readonly problems: Pick<ProblemLog, 'update'>;
  /** Addresses of this host, as the kernel has them now. */
  readonly ownAddresses: () => readonly Ip[];
  /** False: every flow is allowed to live on, and what an earlier agent has cut is mended. */
  readonly strict: boolean;
}

/** A change seldom comes alone. */
const SOON_MS = 50;
/**
 * What lets nothing through meanwhile (more allowances, interfaces that come or go) is judged when no more of it comes,
 * so that a burst of pods is not held up, but not later than this.
 */
const QUIET_MS = 500;
const LATEST_MS = 2_000;
/**
 * From one judgement to the next. It holds up everything else for some 10 ms (it waits for packets in flight), and where
 * pods come and go all the time there is always something to judge; the second is kept.
 */
const PAUSE_MS = 500;
const RETRY_MS = 500;
/** A single refusal is gone with the next try. */
const FAILURES_TOLD = 3;

export class FlowCutter {
  readonly #deps: FlowCutterDeps;
  #judge: PacketJudge | undefined;
  #judgeOwn = '';
  /** Keys of those that are in the kernel: what is told of another one lets nothing through that passed before. */
  #endpoints = new Set<string>();
  #addresses = new Set<Ip>();
  /** Addresses of endpoints that went, whose flows have not been judged since: the next owner must not inherit them. */
  #gone = new Set<Ip>();
  /** What may have let something through. */
  #dueMs = Number.POSITIVE_INFINITY;
  /** The rest: when, and since when it waits. */
  #quietDueMs = Number.POSITIVE_INFINITY;
  #quietSinceMs = Number.POSITIVE_INFINITY;
  #failures = 0;
  #wake: AbortController | undefined;

  constructor(deps: FlowCutterDeps) {
    this.#deps = deps;
  }

  /** To be called with every change of the view, when it has just changed. */
  follow(delta: RuleDelta): void {
    this.#judge?.update(delta);
  }

  /** The change is in the kernel: what it concerns is judged soon. */
  applied(delta: RuleDelta): void {
    const isNew = (endpoint: RuleEndpoint): boolean => !this.#endpoints.has(endpoint.key);
    for (const { addresses } of delta.removedEndpoints) for (const ip of addresses) this.#gone.add(ip);
    const inherits = ({ addresses }: RuleEndpoint): boolean => addresses.some((ip) => this.#gone.has(ip));
    const tightens =
      !delta.endpoints.every((endpoint) => isNew(endpoint) && !inherits(endpoint)) ||
      [...delta.members.values()].some(({ removed }) => removed.length > 0);
    for (const { addresses } of delta.endpoints) for (const ip of addresses) this.#gone.delete(ip);
    for (const { key } of delta.removedEndpoints) this.#endpoints.delete(key);
    for (const { key } of delta.endpoints) this.#endpoints.add(key);
    if (!this.#deps.strict) return;
    const addresses = addressesOf(delta);
    if (tightens) this.#concern(addresses, SOON_MS);
    else if (addresses.length > 0) this.#concernQuietly(addresses);
  }

  /** Nobody knows what was let through: every flow of this node's pods. */
  everything(): void {
    const endpoints = [...this.#deps.view.endpoints()];
    this.#endpoints = new Set(endpoints.map(({ key }) => key));
    this.#concern(
      endpoints.flatMap(({ addresses }) => addresses),
      SOON_MS,
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const delayMs = Math.min(this.#dueMs, this.#quietDueMs) - clock.nowMs();
      if (delayMs > 0) await this.#sleep(delayMs, signal);
      else await this.#judgeDue(signal);
    }
  }

  #concern(addresses: Iterable<Ip>, delayMs: number): void {
    for (const ip of addresses) this.#addresses.add(ip);
    if (this.#addresses.size === 0) return;
    this.#dueMs = Math.min(this.#dueMs, this.#deps.clock.nowMs() + delayMs);
    this.#wake?.abort();
  }

  #concernQuietly(addresses: readonly Ip[]): void {
    for (const ip of addresses) this.#addresses.add(ip);
    const nowMs = this.#deps.clock.nowMs();
    this.#quietSinceMs = Math.min(this.#quietSinceMs, nowMs);
    this.#quietDueMs = Math.min(nowMs + QUIET_MS, this.#quietSinceMs + LATEST_MS);
    this.#wake?.abort();
  }

  async #judgeDue(signal: AbortSignal): Promise<void> {
    const { kernel, clock, log, metrics, problems } = this.#deps;
    const addresses = this.#addresses;
    const gone = this.#gone;
    this.#addresses = new Set();
    this.#gone = new Set();
    this.#dueMs = this.#quietDueMs = this.#quietSinceMs = Number.POSITIVE_INFINITY;
    const startedMs = clock.nowMs();
    try {
      const judge = this.#deps.strict ? this.#currentJudge() : undefined;
      const { seen, cut, mended } = await kernel.judgeFlows(
        addresses,
        (packet) =>
          judge === undefined ||
          (!gone.has(packet.source) && !gone.has(packet.destination) && judge.judge(packet) === 'allowed'),
      );
      this.#failures = 0;
      problems.update('flows', []);
      metrics.applySeconds.observe((clock.nowMs() - startedMs) / 1000, { operation: 'flows' });
      metrics.flowsCut.inc({}, cut);
      metrics.flowsMended.inc({}, mended);
      if (cut > 0 || mended > 0) log.info({ seen, cut, mended }, 'flows judged anew');
      await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
    } catch (error) {
      metrics.errors.inc({ operation: 'flows' });
      log.warn({ error }, 'flows could not be judged, trying again');
      if (++this.#failures >= FAILURES_TOLD) problems.update('flows', [notJudged(error)]);
      for (const ip of gone) this.#gone.add(ip);
      this.#concern(addresses, RETRY_MS);
    }
  }

  /** The node's own addresses come and go with its devices; the sets that a judge has read are worth keeping. */
  #currentJudge(): PacketJudge {
    const own = this.#deps.ownAddresses();
    if (this.#judge === undefined || own.join() !== this.#judgeOwn) {
      this.#judge = new PacketJudge(this.#deps.view, own);
      this.#judgeOwn = own.join();
    }
    return this.#judge;
  }

  async #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const either = AbortSignal.any([signal, this.#wake.signal]);
    const idle = new Promise<void>((resolve) => {
      either.addEventListener('abort', () => resolve(), { once: true });
    });
    if (Number.isFinite(delayMs)) await this.#deps.clock.sleep(delayMs, either).catch(() => undefined);
    else await idle;
    this.#wake = undefined;
  }
}

/** A member that comes or goes concerns the flows that have it at an end; an endpoint with another chain, all of its own. */
function addressesOf({ endpoints, removedEndpoints, members }: RuleDelta): readonly Ip[] {
  const changed = [...members.values()].flatMap(({ added, removed }) => [...added, ...removed]);
  return [
    ...[...endpoints, ...removedEndpoints].flatMap(({ addresses }) => addresses),
    ...changed.flatMap((member) => (member.kind === 'blocks' ? [] : [member.ip])),
  ];
}

function notJudged(error: unknown): Complaint {
  const message =
    `running flows cannot be judged by changed policies, so those that are denied now live on: ${error instanceof Error ? error.message : String(error)}. ` +
    'Cure: a kernel with nf_conntrack_netlink, or --strict=false where flows may outlive a change';
  return { key: 'refused', severity: 'error', event: 'FlowsNotJudged', message };
}
