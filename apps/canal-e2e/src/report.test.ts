import { expect, test } from 'vitest';
import { formatSummary, formatTable, type GroupResult } from './report.ts';

const GROUPS: readonly GroupResult[] = [
  {
    group: 'vxlan',
    seconds: 61.26,
    results: [
      { scenario: 'all nodes Ready', outcome: 'passed', seconds: 8.04, notes: { 'apply to Ready': '6.1 s' } },
      { scenario: 'pod to pod', outcome: 'failed', seconds: 1, reason: 'no answer', dump: 'dist/e2e/vxlan/pod-to-pod' },
      { scenario: 'reboot', outcome: 'not-offered', reason: 'needs control of the machines' },
      { scenario: '110 pods', outcome: 'left-out', reason: 'long: runs with --all' },
    ],
  },
];

test('the table has a row for each scenario, with its notes and the reason of what did not pass', () => {
  expect(formatTable(GROUPS)).toBe(`
vxlan  (61.3 s in all)
  all nodes Ready       passed         8.0 s
      apply to Ready: 6.1 s
  pod to pod            FAILED         1.0 s
      no answer
      state at the time: dist/e2e/vxlan/pod-to-pod
  reboot                not offered
      needs control of the machines
  110 pods              left out
      long: runs with --all`);
});

test('the closing line counts what was not run, with the reason', () => {
  expect(formatSummary(GROUPS)).toBe(
    '1 passed, 1 failed, 2 skipped (1 not offered by this cluster, 1 long: --all runs them)',
  );
  expect(formatSummary([])).toBe('0 passed, 0 failed, 0 skipped');
});
