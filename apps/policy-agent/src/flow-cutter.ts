/**
 * Strict mode: flows that a change denies are cut within a second, and those it allows again are mended. Who gets an
 * address that another endpoint had is not ready before the other's flows are judged by its rules.
 */
import type { PolicyKernel } from '@canal/kernel-port';
import { type ChainId, PacketJudge, type RuleDelta, type RuleEndpoint, type RuleView } from '@canal/rules-ast';
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
 * From one judgement to the next. Those after something was tightened hold up everything else for some 10 ms (they wait
 * for packets in flight), and where pods come and go all the time there is always something to judge; the second is kept.
 */
const PAUSE_MS = 500;
const RETRY_MS = 500;
/** A single refusal is gone with the next try. */
const FAILURES_TOLD = 3;

export class FlowCutter {
  readonly #deps: FlowCutterDeps;
  #judge: PacketJudge | undefined;
  #judgeOwn = '';
  /** Those that are in the kernel. */
  #endpoints = new Map<string, RuleEndpoint>();
  /** Chains that allow nothing. */
  #closed = new Set<ChainId>();
  #addresses = new Set<Ip>();
  /** Of endpoints that left the view; the kernel may have their rules still. */
  #leaving = new Set<Ip>();
  /** Addresses of endpoints that went, whose flows have not been judged since: the next owner must not inherit them. */
  #gone = new Set<Ip>();
  /** As it was when the judgement began that is under way. */
  #goneBefore: ReadonlySet<Ip> = new Set();
  /** Addresses with a new owner, by whose rules their flows have not been judged, and when they got it (a count). */
  readonly #inherited = new Map<Ip, number>();
  #inheritances = 0;
  /** Of the next judgement, or its failure. */
  #judged = Promise.withResolvers<undefined>();
  /** What may have let something through. */
  #dueMs = Number.POSITIVE_INFINITY;
  /** The rest: when, and since when it waits. */
  #quietDueMs = Number.POSITIVE_INFINITY;
  #quietSinceMs = Number.POSITIVE_INFINITY;
  /** Something may have been let through since the last judgement that is denied now. */
  #tightened = true;
  /** Those that wait until the owner of some addresses may begin. */
  readonly #waiting = new Set<{ readonly addresses: readonly Ip[] }>();
  #pauseEndMs = 0;
  #retryMs = 0;
  #failures = 0;
  #wake: AbortController | undefined;

  constructor(deps: FlowCutterDeps) {
    this.#deps = deps;
  }

  /** To be called with every change of the view, when it has just changed. */
  follow(delta: RuleDelta): void {
    this.#judge?.update(delta);
    for (const ip of this.#lostBy(delta)) this.#leaving.add(ip);
  }

  /** The change is in the kernel: what it concerns is judged soon. */
  applied(delta: RuleDelta): void {
    const lost = [...this.#leaving, ...this.#lostBy(delta)];
    for (const ip of lost) {
      this.#gone.add(ip);
      this.#inherited.delete(ip);
    }
    this.#leaving.clear();
    const heirs = delta.endpoints.flatMap(({ addresses }) => addresses).filter((ip) => this.#wasAnothers(ip));
    for (const ip of heirs) this.#inherit(ip);
    const tightens =
      heirs.length > 0 ||
      delta.endpoints.some(({ key }) => this.#passesSomething(this.#endpoints.get(key))) ||
      [...delta.members.values()].some(({ removed }) => removed.length > 0);
    for (const { key } of delta.removedEndpoints) this.#endpoints.delete(key);
    for (const endpoint of delta.endpoints) this.#endpoints.set(endpoint.key, endpoint);
    for (const { id, rules } of delta.newChains) if (rules.length === 0) this.#closed.add(id);
    for (const id of delta.removedChains) this.#closed.delete(id);
    if (!this.#deps.strict) {
      this.#gone.clear();
      this.#inherited.clear();
      return;
    }
    if (tightens || lost.length > 0) this.#tightened = true;
    const addresses = [...addressesOf(delta), ...lost];
    if (tightens) this.#concern(addresses, SOON_MS);
    else if (addresses.length > 0) this.#concernQuietly(addresses);
  }

  /**
   * Nobody knows what was let through: every flow of this node's pods. `gone`: addresses of pods that the kernel had and
   * that are nobody's now.
   */
  everything(gone: readonly Ip[]): void {
    const { view } = this.#deps;
    this.#endpoints = new Map([...view.endpoints()].map((endpoint) => [endpoint.key, endpoint]));
    this.#closed = new Set([...view.chains()].flatMap(({ id, rules }) => (rules.length === 0 ? [id] : [])));
    const owned = new Set([...this.#endpoints.values()].flatMap(({ addresses }) => addresses));
    for (const ip of [...gone, ...this.#leaving]) this.#gone.add(ip);
    this.#leaving.clear();
    for (const ip of owned) if (this.#wasAnothers(ip)) this.#inherit(ip);
    this.#tightened = true;
    this.#concern([...owned, ...this.#gone], SOON_MS);
  }

  /**
   * Resolves when no flow of an earlier owner of these addresses goes on that the rules of the new one deny. Rejects when
   * the signal aborts before; nothing is hastened for it from then on.
   */
  async settled(addresses: readonly Ip[], signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<undefined>();
    const abort = (): void => aborted.resolve(undefined);
    signal.addEventListener('abort', abort, { once: true });
    const waiter = { addresses };
    this.#waiting.add(waiter);
    try {
      while (this.#isUnsettled(addresses)) {
        signal.throwIfAborted();
        this.#wake?.abort();
        await Promise.race([this.#judged.promise, aborted.promise]);
      }
    } finally {
      this.#waiting.delete(waiter);
      signal.removeEventListener('abort', abort);
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const dueMs = Math.min(this.#dueMs, this.#quietDueMs);
      const startMs = this.#isUrgent() ? this.#retryMs : Math.max(dueMs, this.#pauseEndMs, this.#retryMs);
      const delayMs = Number.isFinite(dueMs) ? startMs - clock.nowMs() : Number.POSITIVE_INFINITY;
      if (delayMs > 0) await this.#sleep(delayMs, signal);
      else await this.#judgeDue();
    }
  }

  #isUnsettled(addresses: readonly Ip[]): boolean {
    return this.#deps.strict && addresses.some((ip) => this.#inherited.has(ip));
  }

  #isUrgent(): boolean {
    return [...this.#waiting].some(({ addresses }) => this.#isUnsettled(addresses));
  }

  /** Addresses that endpoints have no more, those that went and those that changed. */
  #lostBy({ removedEndpoints, endpoints }: RuleDelta): readonly Ip[] {
    const changed = endpoints.flatMap(({ key, addresses }) =>
      (this.#endpoints.get(key)?.addresses ?? []).filter((ip) => !addresses.includes(ip)),
    );
    return [...removedEndpoints.flatMap(({ addresses }) => addresses), ...changed];
  }

  #wasAnothers(ip: Ip): boolean {
    return this.#gone.has(ip) || this.#goneBefore.has(ip);
  }

  #inherit(ip: Ip): void {
    this.#gone.delete(ip);
    this.#inherited.set(ip, ++this.#inheritances);
  }

  /** One that is closed both ways, as that of a pod which is not known yet, can only be opened. */
  #passesSomething(endpoint: RuleEndpoint | undefined): boolean {
    if (endpoint === undefined) return false;
    return [endpoint.ingress, endpoint.egress].some((chain) => chain === undefined || !this.#closed.has(chain));
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

  async #judgeDue(): Promise<void> {
    const { kernel, clock, log, metrics, problems } = this.#deps;
    const addresses = this.#addresses;
    const gone = this.#gone;
    const inheritances = this.#inheritances;
    const tightened = this.#tightened;
    this.#tightened = false;
    this.#addresses = new Set();
    this.#gone = new Set();
    this.#goneBefore = gone;
    this.#dueMs = this.#quietDueMs = this.#quietSinceMs = Number.POSITIVE_INFINITY;
    const startedMs = clock.nowMs();
    try {
      const judge = this.#deps.strict ? this.#currentJudge() : undefined;
      const { seen, cut, mended } = await kernel.judgeFlows(
        addresses,
        (packet) =>
          judge === undefined ||
          (!gone.has(packet.source) && !gone.has(packet.destination) && judge.judge(packet) === 'allowed'),
        tightened,
      );
      for (const [ip, count] of this.#inherited) if (count <= inheritances) this.#inherited.delete(ip);
      this.#failures = 0;
      problems.update('flows', []);
      metrics.applySeconds.observe((clock.nowMs() - startedMs) / 1000, { operation: 'flows' });
      metrics.flowsCut.inc({}, cut);
      metrics.flowsMended.inc({}, mended);
      if (cut > 0 || mended > 0) log.info({ seen, cut, mended }, 'flows judged anew');
      this.#pauseEndMs = clock.nowMs() + PAUSE_MS;
    } catch (error) {
      metrics.errors.inc({ operation: 'flows' });
      log.warn({ error }, 'flows could not be judged, trying again');
      if (++this.#failures >= FAILURES_TOLD) problems.update('flows', [notJudged(error)]);
      for (const ip of gone) if (!this.#inherited.has(ip)) this.#gone.add(ip);
      this.#tightened ||= tightened;
      this.#concern(addresses, RETRY_MS);
      this.#retryMs = clock.nowMs() + RETRY_MS;
    }
    this.#goneBefore = new Set();
    this.#judged.resolve(undefined);
    this.#judged = Promise.withResolvers();
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
function addressesOf({ endpoints, members }: RuleDelta): readonly Ip[] {
  const changed = [...members.values()].flatMap(({ added, removed }) => [...added, ...removed]);
  return [
    ...endpoints.flatMap(({ addresses }) => addresses),
    ...changed.flatMap((member) => (member.kind === 'blocks' ? [] : [member.ip])),
  ];
}

function notJudged(error: unknown): Complaint {
  const message =
    `running flows cannot be judged by changed policies, so those that are denied now live on: ${error instanceof Error ? error.message : String(error)}. ` +
    'Cure: a kernel with nf_conntrack_netlink, or --strict=false where flows may outlive a change';
  return { key: 'refused', severity: 'error', event: 'FlowsNotJudged', message };
}
