/** `canalctl uninstall` on the cluster that a kubeconfig names. */
import { readSync } from 'node:fs';
import { isatty } from 'node:tty';
import { createKubeStore } from '@canal/store-kube';
import type { ClusterFlags } from '../cluster/cluster-flags.ts';
import { connectCluster, systemClock } from '../cluster/connect-cluster.ts';
import { type CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { createProgress } from '../progress.ts';
import { safeJson } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { type ClusterPlan, planCluster } from './cluster-plan.ts';
import { readPodLog } from './pod-log.ts';
import { renderPlan, renderResult } from './render.ts';
import { type ClusterResult, uninstallCluster } from './uninstall-cluster.ts';

/** Set by the build; a run from source has no version. */
declare const CANAL_VERSION: string | undefined;

export interface UninstallFlags extends ClusterFlags {
  readonly dryRun?: true;
  readonly yes?: true;
  readonly keepObjects?: true;
  readonly namespace: string;
  readonly node?: readonly string[];
  readonly image?: string;
  /** Seconds. */
  readonly timeout: number;
  readonly output: 'text' | 'json';
}

export async function runUninstall(context: CommandContext, flags: UninstallFlags): Promise<void> {
  const { terminal, signal, outcome } = context;
  const clock = systemClock();
  const connection = await connectCluster(flags, clock);
  const store = createKubeStore({ connection, clock });
  const plan = await planCluster(store, {
    namespace: flags.namespace,
    nodes: flags.node ?? [],
    image: flags.image,
    defaultImage: `docker.io/canalcni/canal:${typeof CANAL_VERSION === 'string' ? CANAL_VERSION : 'latest'}`,
  });
  const isPartial = flags.node !== undefined;
  if (!flags.dryRun) {
    if (isPartial) refuseRunningAgents(plan);
    terminal.err(renderPlan(plan));
    if (flags.yes !== true) confirm(context);
  }
  const progress = createProgress(terminal);
  let result: ClusterResult;
  try {
    const deps = {
      store,
      clock,
      signal,
      now: () => new Date(),
      podLog: (namespace: string, pod: string) => readPodLog(connection, namespace, pod, signal),
      onProgress: (text: string) => progress.step(text),
    };
    result = await uninstallCluster(deps, plan, {
      namespace: flags.namespace,
      dryRun: flags.dryRun === true,
      keepObjects: flags.keepObjects === true,
      isPartial,
      timeoutSeconds: flags.timeout,
    });
  } finally {
    progress.done();
  }
  terminal.out(flags.output === 'json' ? `${safeJson(result)}\n` : renderResult(result, flags.dryRun === true));
  outcome.exitCode = exitCodeOf(result);
}

function exitCodeOf({ nodes }: ClusterResult): number {
  if (nodes.some((node) => node.outcome === 'failed')) return EXIT.failed;
  return nodes.some((node) => node.outcome === 'unreachable') ? EXIT.unhealthy : EXIT.ok;
}

/** An agent would make anew what is taken away, and the DaemonSet of the other nodes must stay. */
function refuseRunningAgents({ nodes }: ClusterPlan): void {
  const running = nodes.filter(({ hasAgent }) => hasAgent).map(({ name }) => name);
  if (running.length === 0) return;
  throw new UsageError(
    `--node: the agent runs on ${running.join(', ')}`,
    'keep the DaemonSet canal-node off them first (nodeAffinity), or uninstall canal as a whole, without --node',
  );
}

function confirm({ terminal }: CommandContext): void {
  if (!isatty(0))
    throw new UsageError('nobody is there to be asked', '--yes goes on without a question, --dry-run only looks');
  terminal.err('Go on? Type "yes": ');
  const buffer = new Uint8Array(64);
  const answer = new TextDecoder().decode(buffer.subarray(0, readSync(0, buffer))).trim();
  if (answer !== 'yes')
    throw new UsageError('not confirmed; nothing was changed', 'type "yes", or give --yes; --dry-run only looks');
}
