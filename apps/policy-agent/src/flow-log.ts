/** Verdicts of the kernel, joined with pods and policies, in a ring: what `flows` reads and follows. */
import type { FlowEndMessage, FlowRecord } from '@canal/agent-protocol';
import type { PolicyKernel, VerdictReason, VerdictRecord } from '@canal/kernel-port';
import type { EndVerdict, Explanation, FlowEnd, PolicyEngine } from '@canal/policy-compile';
import { PROTOCOL_NUMBER } from '@canal/rules-ast';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Complaint, ProblemLog } from '@canal/telemetry';
import { formatIp, type Ip } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';
import { followKernel, type KernelStream } from './kernel-stream.ts';

export interface FlowLogDeps {
  readonly kernel: Pick<PolicyKernel, 'verdicts'>;
  readonly engine: Pick<PolicyEngine, 'explain'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  readonly problems: Pick<ProblemLog, 'update'>;
  readonly capacity: number;
}

/**
 * Of each second: a pod can make the kernel tell a thousand verdicts a second, and an explanation costs ten microseconds
 * with a few policies and a millisecond with a thousand.
 */
const JOIN_MS_PER_SECOND = 50;

type Listener = (record: FlowRecord) => void;

export class FlowLog {
  readonly #deps: FlowLogDeps;
  readonly #ring: FlowRecord[] = [];
  readonly #listeners = new Set<Listener>();
  /** Where the next record goes once the ring is full. */
  #next = 0;
  /** What may still be spent on joins; the last one may have cost more than there was. */
  #budgetMs = JOIN_MS_PER_SECOND;
  #filledMs: number;

  constructor(deps: FlowLogDeps) {
    this.#deps = deps;
    this.#filledMs = deps.clock.nowMs();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { kernel } = this.#deps;
    const stream: KernelStream<VerdictRecord> = {
      name: 'verdicts',
      events: (until) => kernel.verdicts(until),
      onEvent: (record) => this.#take(record),
      complaint: notTold,
    };
    await followKernel(stream, this.#deps, signal);
  }

  /** The newest, oldest first. */
  last(count: number, deniedOnly: boolean): readonly FlowRecord[] {
    if (count <= 0) return [];
    const inOrder = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return (deniedOnly ? inOrder.filter(({ verdict }) => verdict === 'deny') : inOrder).slice(-count);
  }

  /** Called with each new record until the signal aborts. */
  listen(listener: Listener, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  #take(verdict: VerdictRecord): void {
    const { metrics, capacity } = this.#deps;
    if (verdict.lost > 0) metrics.verdictsLost.inc({}, verdict.lost);
    if (verdict.reason !== 'allowed') {
      metrics.denied.inc({ direction: DIRECTION[verdict.reason] ?? 'any', reason: verdict.reason });
    }
    if (capacity === 0) return;
    const record = joined(verdict, this.#explain(verdict));
    if (this.#ring.length < capacity) this.#ring.push(record);
    else {
      this.#ring[this.#next] = record;
      this.#next = (this.#next + 1) % capacity;
    }
    for (const listener of this.#listeners) listener(record);
  }

  /** Undefined too when the time for it is used up. */
  #explain(verdict: VerdictRecord): Explanation | undefined {
    const { clock, metrics } = this.#deps;
    const startMs = clock.nowMs();
    const earnedMs = ((startMs - this.#filledMs) / 1000) * JOIN_MS_PER_SECOND;
    this.#budgetMs = Math.min(JOIN_MS_PER_SECOND, this.#budgetMs + earnedMs);
    this.#filledMs = startMs;
    if (this.#budgetMs <= 0) {
      metrics.verdictsLost.inc();
      return undefined;
    }
    const explanation = this.#ask(verdict);
    this.#budgetMs -= clock.nowMs() - startMs;
    return explanation;
  }

  #ask({ source, destination, protocol, destinationPort }: VerdictRecord): Explanation | undefined {
    const { engine, log } = this.#deps;
    const explained = engine.explain({
      source: formatIp(source),
      destination: formatIp(destination),
      protocol: String(protocol),
      ...(destinationPort !== undefined && { port: destinationPort }),
    });
    if (explained.ok) return explained.value;
    log.debug({ problem: explained.error.message }, 'a verdict could not be explained');
    return undefined;
  }
}

function notTold(reason: string): Complaint {
  const message =
    `verdicts of the kernel are not heard, so there are no flow records and no canal_denied_packets_total; the rules are in force: ${reason}. ` +
    'Cure: a kernel with nfnetlink_log, and no other program on NFLOG group 20 of this node';
  return { key: 'broken', severity: 'warning', event: 'VerdictsNotHeard', message };
}

const DIRECTION: Partial<Record<VerdictReason, 'ingress' | 'egress'>> = {
  'ingress-denied': 'ingress',
  'egress-denied': 'egress',
  spoofed: 'egress',
  tunnel: 'egress',
};

function joined(verdict: VerdictRecord, explanation: Explanation | undefined): FlowRecord {
  const { reason, source, destination, sourcePort, destinationPort, timeMs, protocol, lost } = verdict;
  const end = endThatDecided(reason, explanation);
  const direction = DIRECTION[reason] ?? end?.direction;
  return {
    time: new Date(timeMs).toISOString(),
    verdict: reason === 'allowed' ? 'allow' : 'deny',
    reason,
    ...(direction !== undefined && { direction }),
    source: endMessage(source, sourcePort, explanation?.source),
    destination: endMessage(destination, destinationPort, explanation?.destination),
    protocol: protocolName(protocol),
    ...(reason === 'allowed' && end?.rule && { rule: { policy: end.rule.policy, index: end.rule.index } }),
    // Policy may have changed since the packet: then it isolates no more, and is not named.
    ...(reason !== 'allowed' && end !== undefined && end.policies.length > 0 && { isolatedBy: end.policies }),
    lost,
  };
}

/** Reasons that have nothing to do with policies are nobody's. */
function endThatDecided(reason: VerdictReason, explanation: Explanation | undefined): EndVerdict | undefined {
  if (explanation === undefined) return undefined;
  const { ingress, egress } = explanation;
  switch (reason) {
    case 'ingress-denied':
      return ingress;
    case 'egress-denied':
      return egress;
    case 'allowed':
      return [ingress, egress].find((end) => end?.rule !== undefined);
    case 'cut':
      return [egress, ingress].find((end) => end?.verdict === 'deny');
    default:
      return undefined;
  }
}

function endMessage(ip: Ip, port: number | undefined, end: FlowEnd | undefined): FlowEndMessage {
  return {
    address: formatIp(ip),
    ...(port !== undefined && { port }),
    ...(end?.pod && { pod: { namespace: end.pod.namespace, name: end.pod.name } }),
  };
}

const PROTOCOL_NAME: Readonly<Record<number, string>> = {
  0: 'ARP',
  1: 'ICMP',
  58: 'ICMPv6',
  ...Object.fromEntries(Object.entries(PROTOCOL_NUMBER).map(([name, number]) => [number, name])),
};

function protocolName(protocol: number): string {
  return PROTOCOL_NAME[protocol] ?? String(protocol);
}
