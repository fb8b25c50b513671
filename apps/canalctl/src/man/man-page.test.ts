import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAN_PAGE } from '../../man-page.ts';
import { renderManPage } from './render-man-page.ts';
import { bold, prose, roff } from './roff.ts';

const page = renderManPage();
const lines = page.split('\n');

/** What a formatter makes of a line of text. */
function formatted(line: string): string {
  const glyphs: Readonly<Record<string, string>> = {
    '\\(rs': '\\',
    '\\-': '-',
    '\\(aq': "'",
    '\\(dq': '"',
    '\\(ga': '`',
    '\\(ha': '^',
    '\\(ti': '~',
    '\\&': '',
    '\\fB': '',
    '\\fR': '',
  };
  return line.replace(/\\\[u([0-9A-F]{4,6})\]|\\\(..|\\f.|\\./g, (escape, hex: string | undefined) => {
    const glyph = hex === undefined ? glyphs[escape] : String.fromCodePoint(parseInt(hex, 16));
    if (glyph === undefined) throw new Error(`${escape} in ${line} is none of the escapes`);
    return glyph;
  });
}

test('the committed page is what the definitions give', () => {
  expect(
    readFileSync(MAN_PAGE, 'utf8') === page,
    'docs/man/canalctl.1 is not what the commands are now: run "node_modules/.bin/bun apps/canalctl/man-page.ts --write" and commit both',
  ).toBe(true);
});

test('it has every command, option and exit code, and nothing that is hidden', () => {
  const text = lines.map((line) => (line.startsWith('.\\"') ? '' : formatted(line)));
  for (const line of [
    '.SS canalctl lab pod exec',
    '.SS canalctl policy explain',
    '.SS canalctl completion',
    'canalctl lab get [options] <kind> [object]',
    '-o, --output <format>',
    '--direct-routing',
    '-y, --yes',
    'shop/web --port http',
    'CANAL_LAB',
  ]) {
    expect(text.filter((one) => one.includes(line)).length, line).toBeGreaterThan(0);
  }
  for (const hidden of ['lab serve', '--state-root', '__complete', 'Exit codes:']) {
    expect(text.join('\n')).not.toContain(hidden);
  }
});

test('every line is a known macro, or text without anything that a formatter would take otherwise', () => {
  const MACRO =
    /^\.(?:\\" .*|TH CANALCTL 1 "" canal "User Commands"|ad l|nh|S[HS] .+|TP|PP|RS 4|RE|nf|fi|br|BR kubectl \(1\))$/;
  for (const line of lines.slice(0, -1)) {
    expect(line).toMatch(/^[ -~]+$/);
    if (line.startsWith('.')) expect(line).toMatch(MACRO);
    else expect(line).not.toMatch(/^\s|(?<!\\)-|['"`^~]/);
    // Throws at an escape that is none.
    if (!line.startsWith('.\\"')) formatted(line);
  }
  expect(lines.at(-1)).toBe('');
});

test('roff: whatever the text, it is read as it was, and no line is a request', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const given = roff(text);
      expect(given.split('\n').map(formatted).join('\n')).toBe(text);
      expect(given).toMatch(/^[\n -~]*$/);
      expect(given).not.toMatch(/^[.']/m);
    }),
  );
});

test.each([
  ['.so /etc/passwd', '\\&.so /etc/passwd'],
  ["'br", '\\(aqbr'],
  ['a\\nb', 'a\\(rsnb'],
  ['--output', '\\-\\-output'],
  ['pods, …', 'pods, \\[u2026]'],
])('roff: %s', (text, expected) => {
  expect(roff(text)).toBe(expected);
});

test('prose: paragraphs, and examples as they stand', () => {
  expect(prose('\none\ntwo\n\n  run this\n  .that\n')).toBe(
    '.PP\none\ntwo\n.PP\n.RS 4\n.nf\nrun this\n\\&.that\n.fi\n.RE\n',
  );
  expect(bold('-o')).toBe('\\fB\\-o\\fR');
});

test.runIf(Bun.which('groff') !== null)('groff sets it without a warning', () => {
  const run = Bun.spawnSync(['groff', '-man', '-Tutf8', '-ww', '-P-c', '-rLL=100n'], { stdin: Buffer.from(page) });
  expect(run.stderr.toString()).toBe('');
  const text = run.stdout.toString().replaceAll(/.\u0008/g, '');
  for (const line of [
    /^NAME\n +canalctl - look after a canal network$/m,
    /^ +canalctl lab up \[options\]$/m,
    /^ +-o, --output <format>\n +how to print \(choices: "text", "json", default: "text"\)$/m,
    /^ +kind +nodes, pods, networkpolicies, …$/m,
    /^ +3 +no such lab, node, pod, object or agent$/m,
  ]) {
    expect(text).toMatch(line);
  }
});
