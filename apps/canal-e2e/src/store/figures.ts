import type { TestContext } from 'vitest';

import { recordResult } from '../results.ts';

/** A line of the table of `npm run e2e` for a test that is no scenario of a cluster, with what it measured. */
export function recordFigures({
  task,
  onTestFinished,
}: TestContext): (figures: Readonly<Record<string, string>>) => void {
  const startMs = performance.now();
  const notes: Record<string, string> = {};
  onTestFinished(() => {
    const { state, errors } = task.result ?? {};
    const reason = errors?.[0]?.message.split('\n', 1)[0];
    recordResult({
      scenario: task.name,
      outcome: state === 'fail' ? 'failed' : 'passed',
      seconds: (performance.now() - startMs) / 1000,
      notes,
      ...(reason === undefined ? {} : { reason }),
    });
  });
  return (figures) => {
    Object.assign(notes, figures);
    for (const [what, value] of Object.entries(figures)) process.stderr.write(`      ${what}: ${value}\n`);
  };
}
