/** Runs the planned tests of a ground, stage by stage, until the deadline. */
import { untilAborted } from '../until-aborted.ts';
import type { DialAnswer } from './dial.ts';
import { describeSuccess, judge, nextOf } from './judge.ts';
import type { PlannedTest, TestStage, Try } from './plan-tests.ts';
import type { DialOrigin, TestGround } from './test-ground.ts';
import type { TestResult } from './test-result.ts';

export interface TestRunOptions {
  readonly signal: AbortSignal;
  /** Of `performance.now()`. */
  readonly deadlineMs: number;
  readonly onProgress: (text: string) => void;
}

const AGAIN_MS = 200;
const NO_TIME = 'no time was left for it';

/** In the order of the stages. Throws what the ground throws, and the signal's reason. */
export async function runTests(
  ground: TestGround,
  stages: readonly TestStage[],
  options: TestRunOptions,
): Promise<readonly TestResult[]> {
  const results = new Map<string, TestResult>();
  for (const stage of stages) {
    const open: PlannedTest[] = [];
    for (const test of stage.tests) {
      const skipped = whySkipped(test, results, performance.now() >= options.deadlineMs);
      if (skipped === undefined) open.push(test);
      results.set(test.id, skipped ?? unfinished(test));
    }
    if (open.length === 0) continue;
    options.onProgress(stage.doing);
    if (stage.policy !== undefined) await untilAborted(options.signal, ground.applyPolicy(stage.policy));
    for (const result of await runStage(ground, open, options)) results.set(result.id, result);
  }
  return [...results.values()];
}

function whySkipped(
  test: PlannedTest,
  results: ReadonlyMap<string, TestResult>,
  isLate: boolean,
): TestResult | undefined {
  if (test.skipped !== undefined) return leaveOut(test, test.skipped);
  const needed = test.needs === undefined ? undefined : results.get(test.needs);
  if (needed?.isUnfinished === true || isLate) return unfinished(test);
  if (needed === undefined || needed.verdict === 'ok') return undefined;
  return leaveOut(test, `it shows nothing as long as "${needed.what}" is not well`);
}

function leaveOut({ id, group, what }: PlannedTest, why: string): TestResult {
  return { id, group, what, verdict: 'skip', found: why, tookMs: 0 };
}

function unfinished(test: PlannedTest): TestResult {
  return { ...leaveOut(test, NO_TIME), isUnfinished: true };
}

/** A try under way, its test, and what was heard last. */
interface Attempt {
  readonly test: PlannedTest;
  readonly one: Try;
  answer?: DialAnswer;
  problem?: string | undefined;
  endedMs?: number;
}

async function runStage(
  ground: TestGround,
  tests: readonly PlannedTest[],
  { signal, deadlineMs }: TestRunOptions,
): Promise<readonly TestResult[]> {
  const startMs = performance.now();
  const attempts = tests.flatMap((test) => test.tries.map((one): Attempt => ({ test, one })));
  let open = attempts;
  for (;;) {
    await untilAborted(signal, dialAll(ground, open));
    const nowMs = performance.now();
    for (const attempt of open) attempt.endedMs = nowMs;
    open = open.filter(
      ({ problem, test }) =>
        problem !== undefined && nowMs + AGAIN_MS < Math.min(deadlineMs, startMs + (test.settleMs ?? 0)),
    );
    if (open.length === 0) break;
    await untilAborted(signal, Bun.sleep(AGAIN_MS));
  }
  return tests.map((test) =>
    resultOf(
      test,
      attempts.filter((attempt) => attempt.test === test),
      startMs,
    ),
  );
}

/** One request for each origin. */
async function dialAll(ground: TestGround, attempts: readonly Attempt[]): Promise<void> {
  const byOrigin = Map.groupBy(attempts, ({ one }) => keyOf(one.from));
  await Promise.all(
    [...byOrigin.values()].map(async (own) => {
      const [first] = own;
      if (first === undefined) return;
      const answers = await ground.dial(
        first.one.from,
        own.map(({ one }) => one.request),
      );
      for (const [index, attempt] of own.entries()) {
        const answer = answers[index] ?? { ok: false, why: 'other', message: 'the pod gave no answer' };
        attempt.answer = answer;
        attempt.problem = judge(attempt.one.expected, answer);
      }
    }),
  );
}

function keyOf(origin: DialOrigin): string {
  return 'pod' in origin ? `pod ${origin.pod}` : `node ${origin.node}`;
}

function resultOf(test: PlannedTest, attempts: readonly Attempt[], startMs: number): TestResult {
  const { id, group, what } = test;
  const tookMs = Math.max(...attempts.map(({ endedMs = startMs }) => endedMs - startMs));
  const said = (attempt: Attempt): string =>
    attempt.problem === undefined && attempt.answer !== undefined
      ? describeSuccess(attempt.one, attempt.answer)
      : `${attempt.one.label} fails`;
  const found = attempts.map(said).join(', ');
  const problems = attempts.flatMap(({ one, problem }) => (problem === undefined ? [] : [`${one.label}: ${problem}`]));
  if (problems.length === 0) return { id, group, what, verdict: 'ok', found, tookMs };
  return { id, group, what, verdict: 'fail', found, cause: problems.join('; '), next: nextOf(test), tookMs };
}
