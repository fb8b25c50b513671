/** What the documents tell people to type is there: each command, and each of its options. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT_MEANINGS, type ExitCode } from './exit-code.ts';
import { PROGRAM, unknownIn } from './unknown-words.fixture.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Lines of blocks and pieces of code in the text, without what a shell or a reader makes of them. */
function commandsIn(text: string): readonly string[] {
  const lines = [...text.matchAll(/^(?:\$ )?(?:(?:dist\/)?canal )?canalctl ([^\n#|]*)/gm)];
  const pieces = [...text.matchAll(/`(?:(?:dist\/)?canal )?canalctl ([^`|]*)`/g)];
  const ofLab = [...text.matchAll(/npm run lab -- ([^\n#|`]*)/g)].map(([, words = '']) => `lab ${words}`);
  return [...lines, ...pieces].map(([, words = '']) => words).concat(ofLab);
}

test.each([
  ['lab upp --nodes 3', ['upp']],
  ['policy explain a b --prot 80', ['--prot']],
  ['policy explian a b', ['explian']],
  ['lab pod exec pod1 -- ip -j route', []],
  ['flows --denied --follow', []],
])('%s: %j is not there', (line, unknown) => {
  expect(unknownIn(line.split(' '))).toEqual(unknown);
});

test.each(DOCUMENTS)('%s', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8');
  for (const line of commandsIn(text)) {
    expect([line, unknownIn(line.trim().split(/\s+/))]).toEqual([line, []]);
  }
});

test('the documents have many', () => {
  const all = DOCUMENTS.flatMap((document) => commandsIn(readFileSync(join(ROOT, document), 'utf8')));
  expect(all.length).toBeGreaterThan(100);
  for (const start of [
    'lab up',
    'lab probe',
    'policy explain',
    'policy endpoints',
    'policy diff',
    'validate',
    'check',
    'flows',
    'uninstall',
  ]) {
    expect(all.some((line) => line.startsWith(start))).toBe(true);
  }
});

test('every command is in the table of commands', () => {
  const text = readFileSync(join(ROOT, 'docs/canalctl.md'), 'utf8');
  const named = PROGRAM.commands.map((command) => command.name());
  for (const name of named)
    expect([name, new RegExp(`^\\|[^|\\n]*\`(?:canalctl )?${name}\\b`, 'm').test(text)]).toEqual([name, true]);
});

test('the exit codes are those of the program', () => {
  const text = readFileSync(join(ROOT, 'docs/canalctl.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (\d) +\| (.*?) *\|$/gm)].map(([, code, meaning]) => [code, meaning]);
  expect(rows.map(([code]) => code)).toEqual(Object.keys(EXIT_MEANINGS));
  for (const [code, meaning] of rows) expect(meaning).toContain(EXIT_MEANINGS[Number(code) as ExitCode]);
});
