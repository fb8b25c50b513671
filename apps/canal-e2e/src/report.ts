/** The table of scenarios and times, and the line that closes it. */
import type { Outcome, ScenarioResult } from './results.ts';

export interface GroupResult {
  readonly group: string;
  readonly seconds: number;
  readonly results: readonly ScenarioResult[];
}

const WORDS: Readonly<Record<Outcome, string>> = {
  passed: 'passed',
  failed: 'FAILED',
  'not-offered': 'not offered',
  'left-out': 'left out',
};

/** Rows of one group stand together; notes stand below the scenario that measured them. */
export function formatTable(groups: readonly GroupResult[]): string {
  const lines: string[] = [];
  for (const { group, seconds, results } of groups) {
    const width = Math.max(...results.map(({ scenario }) => scenario.length), 20);
    lines.push('', `${group}  (${formatSeconds(seconds)} in all)`);
    for (const result of results) {
      const time = result.seconds === undefined ? '' : formatSeconds(result.seconds);
      lines.push(
        `  ${result.scenario.padEnd(width)}  ${WORDS[result.outcome].padEnd(11)} ${time.padStart(8)}`.trimEnd(),
        ...Object.entries(result.notes ?? {}).map(([what, value]) => `      ${what}: ${value}`),
      );
      if (result.outcome !== 'passed' && result.reason !== undefined) lines.push(`      ${result.reason}`);
      if (result.dump !== undefined) lines.push(`      state at the time: ${result.dump}`);
    }
  }
  return lines.join('\n');
}

export function countOutcomes(groups: readonly GroupResult[]): Readonly<Record<Outcome, number>> {
  const counts = { passed: 0, failed: 0, 'not-offered': 0, 'left-out': 0 };
  for (const { results } of groups) for (const { outcome } of results) counts[outcome] += 1;
  return counts;
}

/** `12 passed, 0 failed, 3 skipped (2 not offered by this cluster, 1 long: --all runs them)`. */
export function formatSummary(groups: readonly GroupResult[]): string {
  const counts = countOutcomes(groups);
  const skipped = [
    ...(counts['not-offered'] === 0 ? [] : [`${counts['not-offered']} not offered by this cluster`]),
    ...(counts['left-out'] === 0 ? [] : [`${counts['left-out']} long: --all runs them`]),
  ];
  const total = counts['not-offered'] + counts['left-out'];
  const reasons = skipped.length === 0 ? '' : ` (${skipped.join(', ')})`;
  return `${counts.passed} passed, ${counts.failed} failed, ${total} skipped${reasons}`;
}

function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}
