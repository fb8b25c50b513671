/** What goes on beside the rules: others' changes of them, this host's addresses, net-conf.json, and when to give up. */
import type { PolicyKernel, PolicyKernelEvent } from '@canal/kernel-port';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Complaint, ProblemLog } from '@canal/telemetry';
import { err, type Ip, ok, type Result } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import { ageComplaints, limitComplaints } from './kernel-limits.ts';
import { followKernel, type KernelStream } from './kernel-stream.ts';
import type { NodeAddresses } from './node-addresses.ts';
import type { RuleRunner } from './rule-runner.ts';

export interface UpkeepDeps {
  readonly kernel: Pick<PolicyKernel, 'monitor' | 'limits'>;
  readonly runner: Pick<RuleRunner, 'kernelChanged' | 'failing'>;
  readonly nodes: Pick<NodeAddresses, 'setLocalAddresses' | 'setNetConf'>;
  readonly watch: Pick<ClusterWatch, 'unreadable'>;
  readonly problems: ProblemLog;
  /** Of uname(2). */
  readonly kernelRelease: string;
  readonly localAddresses: () => readonly Ip[];
  /** Gives the text, or throws. */
  readonly readNetConf: () => string;
  readonly changed: (kind: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
}

const INTERVAL_MS = 5_000;
/** The rules stay; a new process, and whoever sees it restart, may find what this one does not. */
const GIVE_UP_AFTER_MS = 180_000;

export class Upkeep {
  readonly #deps: UpkeepDeps;

  constructor(deps: UpkeepDeps) {
    this.#deps = deps;
  }

  /** Until the signal aborts; rejects when the kernel has refused the rules for minutes. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, kernel, kernelRelease, runner, problems } = this.#deps;
    while (!signal.aborted) {
      this.#readAddresses();
      problems.update('objects', this.#unreadable());
      problems.update('kernel', refused(runner));
      problems.update('limits', [...limitComplaints(kernel), ...ageComplaints(kernelRelease)]);
      const { failing } = runner;
      if (failing !== undefined && clock.nowMs() - failing.sinceMs > GIVE_UP_AFTER_MS) {
        throw new Error(`the kernel refuses the rules for ${GIVE_UP_AFTER_MS / 1000} s`, { cause: failing.error });
      }
      await clock.sleep(INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  /** Other programs' changes of our tables ask for a comparison. */
  async monitor(signal: AbortSignal): Promise<void> {
    const { kernel, runner, log, metrics } = this.#deps;
    let isFirst = true;
    const stream: KernelStream<PolicyKernelEvent> = {
      name: 'monitor',
      events: (until) => {
        isFirst = true;
        return kernel.monitor(until);
      },
      onEvent: (event) => {
        if (event.type === 'changed') log.info({ what: event.what }, 'others have changed the policy rules');
        else if (!isFirst) metrics.netlinkOverruns.inc();
        isFirst = false;
        runner.kernelChanged();
      },
      complaint: notMonitored,
    };
    await followKernel(stream, this.#deps, signal);
  }

  readNetConf(): void {
    const { nodes, problems, readNetConf, changed } = this.#deps;
    const text = textOrProblem(readNetConf);
    const problem = text.ok ? nodes.setNetConf(text.value) : text.error;
    const message = `net-conf.json: ${problem ?? ''}; the tunnel port that it named before is guarded`;
    problems.update(
      'net-conf',
      problem === undefined ? [] : [{ key: problem, severity: 'warning', event: 'InvalidNetConf', message }],
    );
    changed('NetConf');
  }

  #readAddresses(): void {
    const { nodes, localAddresses, problems, changed } = this.#deps;
    try {
      if (nodes.setLocalAddresses(localAddresses())) changed('address');
      problems.update('addresses', []);
    } catch (error) {
      problems.update('addresses', [addressesUnread(error)]);
    }
  }

  /** Told by the first of a kind and their number: a server may give thousands that cannot be read for one reason. */
  #unreadable(): readonly Complaint[] {
    const byKind = Map.groupBy(this.#deps.watch.unreadable(), ({ kind }) => kind);
    return [...byKind].map(([kind, objects]) => {
      const { key, error } = objects[0] ?? { key: '', error: '' };
      const message = `${objects.length} objects of kind ${kind} cannot be read, first ${key}: ${error}`;
      return { key: `${kind} ${key}`, severity: 'error', event: 'UnreadableObject', message };
    });
  }
}

function refused({ failing }: Pick<RuleRunner, 'failing'>): readonly Complaint[] {
  if (failing === undefined) return [];
  const message = `the kernel refuses the policy rules: ${failing.error.message}`;
  return [{ key: 'refused', severity: 'error', event: 'DataplaneNotReady', message }];
}

function notMonitored(reason: string): Complaint {
  const message =
    `the kernel does not tell of changes to the policy rules, so those of others are repaired by the comparison of each --resync alone: ${reason}. ` +
    'Cure: CAP_NET_ADMIN for the agent, and descriptors and memory for its sockets';
  return { key: 'broken', severity: 'error', event: 'RulesNotMonitored', message };
}

function addressesUnread(error: unknown): Complaint {
  const reason = error instanceof Error ? error.message : String(error);
  const message = `this host's addresses cannot be read, and those known before count as its own: ${reason}`;
  return { key: 'unread', severity: 'error', event: 'AddressesUnreadable', message };
}

/** Undefined: a node without flannel's configuration has no tunnel of ours. One that cannot be read may name a port. */
function textOrProblem(read: () => string): Result<string | undefined, string> {
  try {
    return ok(read());
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return isAbsent ? ok(undefined) : err(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
