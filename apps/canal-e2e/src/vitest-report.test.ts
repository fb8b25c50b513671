import { describe, expect, test } from 'vitest';
import { parseResults, type ScenarioResult } from './results.ts';
import { resultsOfFile, type VitestReport } from './vitest-report.ts';

function report(status: string, tests: readonly [string, string][], message = ''): VitestReport {
  return {
    testResults: [
      {
        ...{ name: 'x.e2e.ts', status, message, startTime: 1_000, endTime: 3_500 },
        assertionResults: tests.map(([fullName, outcome]) => ({
          fullName,
          status: outcome,
          failureMessages: outcome === 'failed' ? [`Error: ${fullName} broke\n at x.ts:1`] : [],
        })),
      },
    ],
  };
}

/** Vitest's exit status is 1 when a test failed, and 0 otherwise, unless a test here says another. */
function results(
  file: string,
  report: VitestReport | undefined,
  recorded: readonly ScenarioResult[],
  status: number | null = report?.testResults[0]?.status === 'passed' ? 0 : 1,
): readonly ScenarioResult[] {
  return resultsOfFile(file, { report, status }, recorded);
}

const PASSED: ScenarioResult = { scenario: 'a', outcome: 'passed', seconds: 1 };
const FAILED: ScenarioResult = { scenario: 'b', outcome: 'failed', seconds: 1 };

describe('results of a file', () => {
  test('are those that its scenarios recorded', () => {
    const recorded = [PASSED, FAILED];
    expect(
      results(
        'x',
        report('failed', [
          ['a', 'passed'],
          ['b', 'failed'],
        ]),
        recorded,
      ),
    ).toEqual(recorded);
  });

  test('count a failure that no scenario recorded', () => {
    expect(results('x', report('failed', [['a', 'failed']]), [PASSED])).toEqual([
      PASSED,
      { scenario: 'x', outcome: 'failed', reason: 'a: Error: a broke' },
    ]);
  });

  test('are one row, and one for each failure, where tests are no scenarios', () => {
    expect(
      results(
        'x',
        report('passed', [
          ['a', 'passed'],
          ['b', 'passed'],
        ]),
        [],
      ),
    ).toEqual([{ scenario: 'x', outcome: 'passed', seconds: 2.5, notes: { tests: '2 passed, 0 failed' } }]);
    expect(
      results(
        'x',
        report('failed', [
          ['a', 'passed'],
          ['b', 'failed'],
        ]),
        [],
      ),
    ).toEqual([
      { scenario: 'x', outcome: 'failed', seconds: 2.5, notes: { tests: '1 passed, 1 failed' } },
      { scenario: 'b', outcome: 'failed', reason: 'Error: b broke' },
    ]);
  });

  test('have failed when the file could not be loaded, had no test, or left no report', () => {
    expect(results('x', report('failed', [], 'SyntaxError: no\n at y'), [])).toEqual([
      { scenario: 'x', outcome: 'failed', reason: 'SyntaxError: no' },
    ]);
    expect(results('x', report('passed', []), [])[0]?.outcome).toBe('failed');
    expect(results('x', undefined, [PASSED])).toEqual([
      PASSED,
      { scenario: 'x', outcome: 'failed', reason: 'vitest gave no report' },
    ]);
  });

  test('have failed when vitest did, though each test passed: an error that nobody awaited', () => {
    const passed = report('passed', [['a', 'passed']]);
    for (const status of [1, null]) {
      expect(results('x', passed, [PASSED], status)).toEqual([
        PASSED,
        { scenario: 'x', outcome: 'failed', reason: expect.stringContaining('though no test failed') as string },
      ]);
      expect(results('x', passed, [], status).map(({ outcome }) => outcome)).toEqual(['passed', 'failed']);
    }
  });

  test('that were left out alone are no pass', () => {
    const leftOut: ScenarioResult = { scenario: 'a', outcome: 'left-out', reason: 'long: runs with --all' };
    expect(results('x', report('passed', [['a', 'skipped']]), [leftOut])).toEqual([leftOut]);
  });
});

test('records are one JSON line each', () => {
  expect(parseResults(`${JSON.stringify(PASSED)}\n${JSON.stringify(FAILED)}\n`)).toEqual([PASSED, FAILED]);
});
