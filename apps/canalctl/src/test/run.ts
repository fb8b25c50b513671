/** `canalctl test`: lays the ground in a cluster or a lab, runs the tests, prints them. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { openLab } from '@canal/lab';
import { createKubeStore } from '@canal/store-kube';
import type { ClusterFlags } from '../cluster/cluster-flags.ts';
import { connectCluster, systemClock } from '../cluster/connect-cluster.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { labOptions } from '../lab/lab-flags.ts';
import { INTERRUPTED } from '../next-step.ts';
import { printable } from '../printable.ts';
import { renderValue } from '../output/render-list.ts';
import { createProgress, type Progress } from '../progress.ts';
import { UsageError } from '../report-error.ts';
import { withClusterGround } from './cluster-ground.ts';
import { renderJunit } from './junit.ts';
import { withLabGround } from './lab-ground.ts';
import { planTests } from './plan-tests.ts';
import { countOf, renderTests } from './render-tests.ts';
import { runTests } from './run-tests.ts';
import type { TestGround } from './test-ground.ts';
import type { TestResult } from './test-result.ts';

export interface TestFlags extends ClusterFlags {
  readonly node?: readonly string[];
  readonly nodes: number;
  /** Seconds. */
  readonly timeout: number;
  readonly junit?: string;
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
  readonly namespace: string;
  readonly image?: string;
  readonly lab?: string;
  readonly stateRoot: string;
}

/** For the tries of the last stage, which are not broken off, and for taking everything away. */
const RESERVE_MS = 6000;

export async function runTest(context: CommandContext, flags: TestFlags): Promise<void> {
  const { terminal, signal, outcome } = context;
  if (flags.junit !== undefined) probeFile(flags.junit);
  const startedAt = new Date();
  const startMs = performance.now();
  const progress = createProgress(terminal);
  let results: readonly TestResult[];
  try {
    results = await onGround(context, flags, progress, startMs + flags.timeout * 1000 - RESERVE_MS);
  } catch (error) {
    if (!signal.aborted || !(error instanceof Error) || error.message !== INTERRUPTED) throw error;
    progress.done();
    terminal.err('interrupted: the pods are taken away, and nothing is judged\n');
    outcome.exitCode = EXIT.failed;
    return;
  } finally {
    progress.done();
  }
  const seconds = (performance.now() - startMs) / 1000;
  if (flags.junit !== undefined) writeFileSync(flags.junit, renderJunit(results, { startedAt, seconds }));
  terminal.out(
    flags.output === 'table' || flags.output === 'wide'
      ? renderTests(results, { seconds, every: flags.output === 'wide', colours: terminal.colours === true })
      : await renderValue(
          { startedAt: startedAt.toISOString(), seconds: Number(seconds.toFixed(3)), tests: results },
          flags.output,
        ),
  );
  outcome.exitCode = exitCodeOf(results);
}

function exitCodeOf(results: readonly TestResult[]): ExitCode {
  if (countOf(results, 'fail') > 0) return EXIT.unhealthy;
  return results.some(({ isUnfinished }) => isUnfinished) ? EXIT.timeout : EXIT.ok;
}

/** Before a minute is spent. */
function probeFile(path: string): void {
  try {
    closeSync(openSync(path, 'a'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `--junit: ${JSON.stringify(path)} cannot be written: ${why}`,
      'name a file in a directory of yours',
    );
  }
}

async function onGround(
  context: CommandContext,
  flags: TestFlags,
  progress: Progress,
  deadlineMs: number,
): Promise<readonly TestResult[]> {
  const { terminal, signal } = context;
  const onProgress = (text: string): void => progress.step(text);
  const onWarning = (text: string): void => {
    progress.done();
    terminal.err(`warning: ${printable(text)}\n`);
  };
  const work = async (ground: TestGround): Promise<readonly TestResult[]> => [
    ...ground.results,
    ...(await runTests(ground, planTests(ground), { signal, deadlineMs, onProgress })),
  ];
  const chosen = { nodes: flags.node ?? [], count: flags.nodes };
  if (flags.lab !== undefined) {
    const labFlags = { name: flags.lab, stateRoot: flags.stateRoot };
    const options = labOptions(context, labFlags, progress);
    const end = (): ReturnType<typeof openLab> =>
      openLab(labFlags.name, { ...options, signal: AbortSignal.timeout(END_MS) });
    const ground = { ...chosen, signal, onProgress, onWarning, labForEnd: end };
    return await withLabGround(openLab(labFlags.name, options), ground, work);
  }
  const clock = systemClock();
  const connection = await connectCluster(flags, clock);
  const store = createKubeStore({ connection, clock });
  const deps = { store, connection, signal, now: () => new Date(), onProgress, onWarning };
  const options = {
    ...chosen,
    canalNamespace: flags.namespace,
    image: flags.image,
    deadlineMs,
    endMs: deadlineMs + TRIES_MS,
  };
  return await withClusterGround(deps, options, work);
}

/** Of the reserve, for the tries: the rest is for taking everything away. */
const TRIES_MS = 5000;

/** How long a lab may take to end pods. */
const END_MS = 30_000;
