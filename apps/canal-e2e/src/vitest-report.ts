/** Results of a file from vitest's own JSON report: for tests that are no scenarios, and for failures outside of them. */
import type { ScenarioResult } from './results.ts';

export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages?: readonly string[] | null;
    }[];
  }[];
}

/** How vitest ended. */
export interface VitestRun {
  /** Undefined when it wrote none. */
  readonly report: VitestReport | undefined;
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
}

/**
 * One result for the file, and one for each test that failed, unless its scenarios have recorded themselves. A file that
 * could not be loaded, or has no test, has failed; so has one whose errors the report does not have: those that nobody
 * awaited show in the exit status alone.
 */
export function resultsOfFile(
  file: string,
  { report, status }: VitestRun,
  recorded: readonly ScenarioResult[],
): readonly ScenarioResult[] {
  const results = resultsOfReport(file, report, recorded);
  if (status === 0 || results.some(({ outcome }) => outcome === 'failed')) return results;
  const reason = `vitest ended with ${status ?? 'a signal'} though no test failed: see the errors in its output`;
  return [...results, { scenario: file, outcome: 'failed', reason }];
}

function resultsOfReport(
  file: string,
  report: VitestReport | undefined,
  recorded: readonly ScenarioResult[],
): readonly ScenarioResult[] {
  const [own] = report?.testResults ?? [];
  if (own === undefined) return [...recorded, { scenario: file, outcome: 'failed', reason: 'vitest gave no report' }];
  const failures = own.assertionResults.filter(({ status }) => status === 'failed');
  const recordedFailures = recorded.filter(({ outcome }) => outcome === 'failed').length;
  const loaded = own.status === 'passed' || failures.length > 0;
  if (!loaded || own.assertionResults.length === 0) {
    return [...recorded, { scenario: file, outcome: 'failed', reason: firstLine(own.message ?? 'it has no test') }];
  }
  if (recorded.length > 0) {
    if (recordedFailures >= failures.length) return recorded;
    return [...recorded, { scenario: file, outcome: 'failed', reason: firstLine(failureText(failures)) }];
  }
  const seconds = (own.endTime - own.startTime) / 1000;
  const passed = own.assertionResults.filter(({ status }) => status === 'passed').length;
  const notes = { tests: `${passed} passed, ${failures.length} failed` };
  return [
    { scenario: file, outcome: failures.length === 0 && passed > 0 ? 'passed' : 'failed', seconds, notes },
    ...failures.map(({ fullName, failureMessages }) => ({
      scenario: fullName,
      outcome: 'failed' as const,
      reason: firstLine(failureMessages?.[0] ?? ''),
    })),
  ];
}

function failureText(failures: VitestReport['testResults'][number]['assertionResults']): string {
  const [first] = failures;
  return `${first?.fullName ?? ''}: ${first?.failureMessages?.[0] ?? ''}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
