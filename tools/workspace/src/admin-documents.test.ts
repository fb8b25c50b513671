/** docs/admin-api.md names what the admin API has: routes with their roles, problems, limits; no more and no less. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DIFF_KINDS, MAX_PAGE, problem, PROBLEMS, type ProblemName, ROLES, ROUTES } from '@canal/admin-schema';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const document = readFileSync(join(ROOT, 'docs/admin-api.md'), 'utf8');

function section(title: string): string {
  const text = document.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (text === undefined) throw new Error(`docs/admin-api.md has no section ${title}`);
  return text;
}

test('routes, in their order, with operation and role', () => {
  const rows = [...section('Routes').matchAll(/^\| `(\w+)` +\| `(\w+) ([^`]+)` +\| `(\w+)` +\|/gm)];
  expect(rows.map(([, ...cells]) => cells)).toEqual(
    ROUTES.map(({ id, method, path, role }) => [id, method, path, role]),
  );
});

test('roles, in their order', () => {
  expect(section('Routes')).toContain(ROLES.map((role) => `\`${role}\``).join(', '));
});

test('problems have a heading each, which their types name, with status and title', () => {
  const headings = [...section('Problems').matchAll(/^### ([\w-]+)\n\n(\d+): ([^\n]*)/gm)];
  const names = Object.keys(PROBLEMS) as ProblemName[];
  expect(headings.map(([, name]) => name)).toEqual(names);
  for (const [, name = '', status = '', text = ''] of headings) {
    const made = problem(name as ProblemName, { detail: '', instance: '' });
    expect(Number(status), name).toBe(made.status);
    expect(text.startsWith(`${made.title}.`) || text.startsWith(made.title), `${name}: ${text}`).toBe(true);
    expect(document, name).toContain(made.type.slice(0, -name.length));
  }
});

test('links within the document lead somewhere', () => {
  const anchors = [...document.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  const links = [...document.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor = '']) => anchor);
  expect(links.length).toBeGreaterThan(2);
  expect(links.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
});

test('limits and kinds', () => {
  expect(section('Lists')).toContain(`at most ${MAX_PAGE}`);
  for (const kind of DIFF_KINDS) expect(section('Diff')).toContain(kind);
});

/** Constants that are not exported, as the sources have them. */
function constant(path: string, name: string): number {
  const source = readFileSync(join(ROOT, 'apps/admin-api/src', path), 'utf8');
  const value = new RegExp(`const ${name} = ([\\d_]+)`).exec(source)?.[1];
  if (value === undefined) throw new Error(`${path} has no ${name}`);
  return Number(value.replaceAll('_', ''));
}

test('how nodes are asked', () => {
  const text = section('Partial answers');
  const file = 'resources/node-questions.ts';
  const words: Readonly<Record<number, string>> = { 2: 'two', 8: 'eight', 16: 'sixteen' };
  expect(text).toContain(`asked ${words[constant(file, 'AT_ONCE')]} at a time`);
  expect(text).toContain(`for ${words[constant(file, 'NODE_LIMIT_MS') / 1000]} seconds`);
  expect(text).toContain(`${words[constant(file, 'CALL_LIMIT_MS') / 1000]} seconds in all`);
});
