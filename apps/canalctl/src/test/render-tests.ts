import { paint, type Paint } from '../output/paint.ts';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';
import { TEST_GROUPS, type TestGroup, type TestResult, type TestVerdict } from './test-result.ts';

export interface RenderOptions {
  readonly seconds: number;
  /** A line for every test, not for kinds of them. */
  readonly every: boolean;
  readonly colours: boolean;
}

/** A line each kind of test, then one each test that is not well, and beneath it why and what to do. */
export function renderTests(results: readonly TestResult[], { seconds, every, colours }: RenderOptions): string {
  const shown = every ? results : results.filter(({ verdict }) => verdict !== 'ok');
  const rows: readonly Row[] = [...(every ? [] : TEST_GROUPS.flatMap((group) => rowOf(group, results))), ...shown];
  const heads = table(rows.map(({ verdict, what, found }) => [verdict, what, found].map(printableLine)))
    .trimEnd()
    .split('\n');
  const lines = rows.flatMap(({ verdict, cause, next }, index) => [
    `${paint(verdict, COLOURS[verdict], colours)}${(heads[index] ?? '').slice(verdict.length)}`,
    ...(cause === undefined ? [] : [`      cause: ${printableLine(cause)}`]),
    ...(next === undefined ? [] : [`      next:  ${printableLine(next)}`]),
  ]);
  return [...lines, '', `${sumOf(results)} in ${seconds.toFixed(1)} s`].map((line) => `${line}\n`).join('');
}

export function countOf(results: readonly TestResult[], verdict: TestVerdict): number {
  return results.filter((one) => one.verdict === verdict).length;
}

type Row = Pick<TestResult, 'verdict' | 'what' | 'found' | 'cause' | 'next'>;

const COLOURS: Readonly<Record<TestVerdict, Paint | undefined>> = { ok: 'green', fail: 'red', skip: 'yellow' };

const TITLES: Readonly<Record<TestGroup, string>> = {
  start: 'pods start',
  'node-to-pod': 'node to pod',
  'pod-to-pod': 'pod to pod',
  'large-packets': 'packets that fill the MTU',
  'pod-to-node': 'pod to node',
  service: 'services by address',
  dns: 'services by name',
  policy: 'policies',
};

/** Of those that were not left out. */
function rowOf(group: TestGroup, results: readonly TestResult[]): readonly Row[] {
  const own = results.filter((one) => one.group === group && one.verdict !== 'skip');
  if (own.length === 0) return [];
  const well = countOf(own, 'ok');
  return [{ verdict: well === own.length ? 'ok' : 'fail', what: TITLES[group], found: `${well} of ${own.length}` }];
}

function sumOf(results: readonly TestResult[]): string {
  const late = results.filter(({ isUnfinished }) => isUnfinished).length;
  const text = `${countOf(results, 'ok')} ok, ${countOf(results, 'fail')} fail, ${countOf(results, 'skip')} left out`;
  return late === 0 ? text : `${text} (${late} for want of time)`;
}
