/** docs/pictures: what is drawn there can be typed, and each is shown in a document. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PICTURES, PICTURES_DIRECTORY } from '../../pictures.ts';
import { unknownIn } from '../unknown-words.fixture.ts';
import { terminalPicture } from './terminal-picture.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const documents = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => join('docs', name))]
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(join(ROOT, name), 'utf8') }));
/** Paths from the root, of every picture that a document shows. */
const shown = documents.flatMap(({ name, text }) =>
  [...text.matchAll(/!\[[^\]]+\]\(([^)\s]+\.svg)\)/g)].map(([, path = '']) => join(name, '..', path)),
);

test('the files are those that are drawn', () => {
  const files = readdirSync(PICTURES_DIRECTORY).sort();
  expect(files).toEqual(PICTURES.map(({ name }) => `${name}.svg`).sort());
});

test('each is in a document, and documents show no other', () => {
  expect([...new Set(shown)].sort()).toEqual(PICTURES.map(({ name }) => `docs/pictures/${name}.svg`).sort());
});

test.each(PICTURES)('$name: its commands are there, and it shows them', ({ name, title, commands }) => {
  const svg = readFileSync(join(PICTURES_DIRECTORY, `${name}.svg`), 'utf8');
  expect(svg).toContain(`<title>${title}</title>`);
  expect([...svg.matchAll(/>\$ ([^<]+)</g)].map(([, command]) => command)).toEqual(commands);
  for (const command of commands.filter((line) => line.startsWith('canalctl '))) {
    expect([command, unknownIn(command.split(' ').slice(1))]).toEqual([command, []]);
  }
});

describe('text of a terminal', () => {
  const draw = (output: string): string => terminalPicture({ title: 'a <b>', screens: [{ command: 'x', output }] });
  const texts = (svg: string): readonly string[] => [...svg.matchAll(/<text [^>]*>[^<]*<\/text>/g)].map(([all]) => all);

  test('colours and bold, each run at its column', () => {
    const [, first = '', second = '', third = '', ...rest] = texts(
      draw('ab  \u001b[31;1mc d\u001b[0m e\r\n\u001b[92m&\u001b[39m\n'),
    );
    expect(first).toMatch(/x="14" y="45" textLength="16" fill="#d0d7de">ab<\/text>$/);
    expect(second).toMatch(/x="46" y="45" textLength="24" fill="#ff7b72" font-weight="bold">c d</);
    expect(third).toMatch(/x="78" .*>e</);
    expect(rest).toEqual([expect.stringMatching(/y="63" .* fill="#56d364">&amp;</)]);
    expect(draw('')).toContain('<title>a &lt;b&gt;</title>');
  });

  test('a style goes on over lines', () => {
    expect(texts(draw('\u001b[33ma\nb')).filter((text) => text.includes('#e3b341'))).toHaveLength(2);
  });

  test('a line that was drawn over is what it was at the end', () => {
    const progress = '\r\u001b[2K⠋ reading\r\u001b[2K⠙ reading more\r\u001b[2Kdone\n';
    expect(draw(progress)).toBe(draw('done\n'));
  });

  test.each(['\u001b[2Ja', 'a\rb', '\u001b]0;title\u0007', '\u001b[48;5;1ma'])(
    '%j would be lost: refused',
    (output) => {
      expect(() => draw(output)).toThrow(/moves the cursor|neither bold nor/);
    },
  );
});
