/**
 * One end-to-end scenario: a vitest test with a time limit, a namespace of its own, notes for the table that
 * `npm run e2e` prints, and a dump of the cluster's state when it fails.
 */
import { test } from 'vitest';
import { dumpWorld } from './dump.ts';
import { openPods, type Pods } from './pods.ts';
import { recordResult } from './results.ts';
import { missing, type Need, type NodeControl, type World } from './world.ts';
import { openWorld } from './open-world.ts';

export interface ScenarioOptions {
  /** After this the scenario has failed. */
  readonly limitMs: number;
  readonly needs?: readonly Need[];
  /** Runs only with --all. Default false. */
  readonly long?: boolean;
}

export interface ScenarioContext {
  readonly world: World;
  /** Pods in a namespace made for this scenario on first use and deleted after it. */
  readonly pods: Pods;
  /** Of scenarios that need `node-control`. */
  readonly control: NodeControl;
  /** A measured value for the table, printed at once too: `note('apply to all Ready', '8.1 s')`. */
  note(what: string, value: string): void;
  /** Run when the scenario is over, last first, also after a failure. */
  cleanup(action: () => Promise<void>): void;
  /** Aborted when the limit is reached. */
  readonly signal: AbortSignal;
}

/** The world of this run, opened once per file. */
export const world: World = await openWorld();

export function scenario(
  name: string,
  options: ScenarioOptions,
  body: (context: ScenarioContext) => Promise<void>,
): void {
  const reason = notOffered(options);
  if (reason !== undefined) {
    recordResult({
      scenario: name,
      outcome: options.long === true && !runsLong() ? 'left-out' : 'not-offered',
      reason,
    });
    test.skip(`${name} (${reason})`, () => undefined);
    return;
  }
  test(name, { timeout: options.limitMs + TEARDOWN_MS }, () => runScenario(name, options, body));
}

/** Time that a dump and the deletion of pods may take beyond the limit. */
const TEARDOWN_MS = 90_000;

function runsLong(): boolean {
  return process.env['CANAL_E2E_ALL'] === '1';
}

function notOffered(options: ScenarioOptions): string | undefined {
  if (options.long === true && !runsLong()) return 'long: runs with --all';
  return (options.needs ?? []).map((need) => missing(world, need)).find((reason) => reason !== undefined);
}

async function runScenario(
  name: string,
  options: ScenarioOptions,
  body: (context: ScenarioContext) => Promise<void>,
): Promise<void> {
  const notes: Record<string, string> = {};
  const cleanups: (() => Promise<void>)[] = [];
  const abort = new AbortController();
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const pods = openPods(world, name);
  const context: ScenarioContext = {
    world,
    pods,
    get control() {
      if (world.control === undefined)
        throw new Error(`scenario "${name}" must name its need: needs: ['node-control']`);
      return world.control;
    },
    note(what, value) {
      notes[what] = value;
      process.stderr.write(`      ${what}: ${value}\n`);
    },
    cleanup: (action) => void cleanups.push(action),
    signal: abort.signal,
  };
  try {
    await withinLimit(body(context), options.limitMs, abort);
    recordResult({ scenario: name, outcome: 'passed', seconds: seconds(), notes });
  } catch (error) {
    const dump = await dumpWorld(world, name, error);
    recordResult({ scenario: name, outcome: 'failed', seconds: seconds(), notes, reason: firstLine(error), dump });
    throw error;
  } finally {
    abort.abort(new Error('the scenario is over'));
    for (const action of cleanups.reverse()) await action().catch((error: unknown) => reportTrouble(name, error));
    await pods.close().catch((error: unknown) => reportTrouble(name, error));
  }
}

async function withinLimit(work: Promise<void>, limitMs: number, abort: AbortController): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`not done within ${limitMs / 1000} s`);
      abort.abort(error);
      reject(error);
    }, limitMs);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}

function reportTrouble(name: string, error: unknown): void {
  process.stderr.write(`      cleaning up after "${name}": ${firstLine(error)}\n`);
}
