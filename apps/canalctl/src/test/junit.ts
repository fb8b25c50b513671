/** Results as JUnit's XML, in the form that CI systems agree on: one suite, a case a test. */
import { countOf } from './render-tests.ts';
import type { TestResult } from './test-result.ts';

export interface SuiteFacts {
  readonly startedAt: Date;
  readonly seconds: number;
}

const SUITE = 'canalctl test';

export function renderJunit(results: readonly TestResult[], { startedAt, seconds }: SuiteFacts): string {
  const sums = attributes({
    tests: results.length,
    failures: countOf(results, 'fail'),
    errors: 0,
    skipped: countOf(results, 'skip'),
    time: seconds.toFixed(3),
  });
  const timestamp = startedAt.toISOString().replace(/\.\d+Z$/, 'Z');
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${SUITE}"${sums}>`,
    `  <testsuite name="${SUITE}"${sums}${attributes({ timestamp })}>`,
    ...results.map(caseOf),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function caseOf({ group, what, verdict, found, cause = found, next, tookMs }: TestResult): string {
  const head = `    <testcase${attributes({ classname: `canal.${group}`, name: what, time: (tookMs / 1000).toFixed(3) })}`;
  switch (verdict) {
    case 'ok':
      return `${head}><system-out>${escaped(found)}</system-out></testcase>`;
    case 'skip':
      return `${head}><skipped${attributes({ message: found })}/></testcase>`;
    case 'fail': {
      const text = next === undefined ? found : `${found}\nnext: ${next}`;
      return `${head}><failure${attributes({ message: cause, type: group })}>${escaped(text)}</failure></testcase>`;
    }
  }
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
    .join('');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** What XML 1.0 cannot hold, not even as a reference: most control characters, lone surrogates, U+FFFE and U+FFFF. */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

function escaped(text: string): string {
  return text.replace(FORBIDDEN, '\u{fffd}').replace(/[&<>"]/g, (found) => ENTITIES[found] ?? found);
}
