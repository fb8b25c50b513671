/**
 * Whether peers answer, asked through the very way that pods' packets take: a ping to the peer's tunnel address, or to
 * the peer itself where routes lead straight to it. What it finds is a metric and a warning with the usual cause, never
 * a reason to change anything: a firewall may drop pings and nothing else.
 */
import type { PingResult } from '@canal/linux-ffi';
import type { Peer, PeerEndpoint } from '@canal/model';
import type { Clock, Logger } from '@canal/runtime-port';
import type { ProblemLog } from '@canal/telemetry';
import { formatIp, type Ip, type IpFamily } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';

export interface PeerProbeDeps {
  readonly peers: () => readonly Peer[];
  /** Rejects when pings cannot be sent at all (CAP_NET_RAW is missing). */
  readonly ping: (to: Ip, signal: AbortSignal) => Promise<PingResult>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  readonly problems: ProblemLog;
}

export interface PeerProbeOptions {
  /** Between two pings to one peer, unless there are too many peers. */
  readonly everyMs: number;
  /** Between two pings to any. */
  readonly spacingMs: number;
  /** After a ping that was not answered, to the next one to the same peer. */
  readonly againMs: number;
}

/**
 * Twenty peers a second at most: of 200 each is asked every ten seconds, of more less often. With the second that a ping
 * waits for its answer a loss is told within 15 s.
 */
export const PROBE_TIMES: PeerProbeOptions = { everyMs: 10_000, spacingMs: 50, againMs: 1_000 };

/** Before it is tried again where pings cannot be sent. */
const FAULT_PAUSE_MS = 600_000;

/** A new agent's first peers are known within a moment, and asked soon after. */
const NO_PEERS_PAUSE_MS = 1_000;

/** One lost packet is no news. */
const FAILURES_TO_TELL = 3;

interface Target {
  readonly peer: Peer;
  readonly endpoint: PeerEndpoint;
  readonly to: Ip;
}

interface Health {
  readonly failures: number;
  readonly target: Target;
  /** Of the last ping that was answered. */
  readonly rttMs?: number;
}

export interface PeerReach {
  /** Undefined: not known yet. */
  readonly reachable?: boolean;
  /** Of the last ping that was answered, if the peer is reachable; whole microseconds. */
  readonly roundTripSeconds?: number;
}

export class PeerProbe {
  readonly #deps: PeerProbeDeps;
  readonly #options: PeerProbeOptions;
  #health = new Map<string, Health>();
  /** Of the round before, while one is under way. */
  #before = new Map<string, Health>();
  /** Of the last whole round; undefined before the first, and where pings cannot be sent. */
  #counts: { readonly answering: number; readonly silent: number } | undefined;

  constructor(deps: PeerProbeDeps, options: PeerProbeOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** One line for people. */
  describe(): string {
    const programmed = `peers: ${this.#deps.peers().length} programmed`;
    if (this.#counts === undefined) return `${programmed}, not asked yet`;
    return `${programmed}, ${this.#counts.answering} answering, ${this.#counts.silent} silent`;
  }

  reachOf(peer: string, family: IpFamily): PeerReach {
    const key = `${peer} ${family}`;
    const { failures = 0, rttMs } = this.#health.get(key) ?? this.#before.get(key) ?? {};
    if (failures >= FAILURES_TO_TELL) return { reachable: false };
    return rttMs === undefined ? {} : { reachable: true, roundTripSeconds: Math.round(rttMs * 1000) / 1e6 };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const { spacingMs, everyMs } = this.#options;
    let told = false;
    while (!signal.aborted) {
      const startedMs = clock.nowMs();
      const fault = await this.#round(signal);
      if (fault !== undefined && !told) log.info({ error: fault }, 'peers are not pinged');
      told = fault !== undefined;
      const nextMs =
        this.#health.size === 0 ? NO_PEERS_PAUSE_MS : Math.max(spacingMs, startedMs + everyMs - clock.nowMs());
      await clock.sleep(told ? FAULT_PAUSE_MS : nextMs, signal).catch(() => undefined);
    }
  }

  /** Gives what keeps us from sending pings at all. */
  async #round(signal: AbortSignal): Promise<unknown> {
    const targets = this.#deps.peers().flatMap(targetsOf);
    this.#before = this.#health;
    this.#health = new Map();
    const faults: unknown[] = [];
    const answers: Promise<void>[] = [];
    for (const target of targets) {
      if (signal.aborted || faults.length > 0) break;
      const key = `${target.peer.name} ${target.endpoint.family}`;
      const asked = this.#ask(key, target, signal);
      answers.push(asked.catch((error: unknown) => void faults.push(error)));
      await this.#deps.clock.sleep(this.#options.spacingMs, signal).catch(() => undefined);
    }
    await Promise.all(answers);
    if (signal.aborted) return undefined;
    if (faults.length === 0) this.#report();
    return faults[0];
  }

  async #ask(key: string, target: Target, signal: AbortSignal): Promise<void> {
    const { clock, metrics, ping } = this.#deps;
    const { failures: before = 0, rttMs } = this.#before.get(key) ?? {};
    let failures = before;
    for (;;) {
      const result = await ping(target.to, signal);
      if (result.ok) {
        metrics.peerRttSeconds.observe(result.rttMs / 1000);
        this.#health.set(key, { target, failures: 0, rttMs: result.rttMs });
        return;
      }
      failures++;
      // Of one that is known to be silent once is enough.
      if (failures >= FAILURES_TO_TELL || signal.aborted) break;
      await clock.sleep(this.#options.againMs, signal).catch(() => undefined);
    }
    this.#health.set(key, { target, failures, ...(rttMs !== undefined && { rttMs }) });
  }

  #report(): void {
    const all = [...this.#health.values()];
    const silent = all.filter(({ failures }) => failures >= FAILURES_TO_TELL);
    this.#counts = { answering: all.length - silent.length, silent: silent.length };
    this.#deps.metrics.peersReachable.set(all.length - silent.length, { state: 'answering' });
    this.#deps.metrics.peersReachable.set(silent.length, { state: 'silent' });
    this.#deps.problems.update(
      'reachability',
      silent.map(({ target }) => ({
        key: `${target.peer.name} ${target.endpoint.family}`,
        severity: 'warning',
        event: 'PeerSilent',
        message: silenceOf(target),
      })),
    );
  }
}

/** With vxlan the first address of the peer's subnet is its tunnel device's own. */
function targetsOf(peer: Peer): Target[] {
  return peer.endpoints.map((endpoint) => ({
    peer,
    endpoint,
    to: peer.backendType === 'vxlan' ? endpoint.subnet.ip : endpoint.publicIp,
  }));
}

function silenceOf({ peer, endpoint, to }: Target): string {
  const cure =
    peer.backendType === 'vxlan'
      ? `Cure: let the VXLAN port (UDP, 8472 unless Backend.Port says otherwise) pass between the nodes`
      : `Cure: see that the node is up and that nothing filters between the nodes`;
  return `node ${peer.name} (${formatIp(endpoint.publicIp)}) does not answer pings to ${formatIp(to)}. ${cure}`;
}
