import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { refuseExisting, writeDirectory, writeFile } from './write-bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'canal-bundle-'));
afterAll(() => rmSync(directory, { recursive: true }));

const bundle = (...paths: readonly string[]) => ({
  time: '2026-11-21T10:00:00.000Z',
  entries: paths.map((path) => ({ path, content: 'x' })),
  missing: [],
});

test.each([
  '../outside',
  '/etc/outside',
  'a/../../outside',
  'a/./b',
  'a//b',
  '..',
  '',
  'a\\b',
  'a\u001b[2J',
  'missing.json',
  'a/'.repeat(600) + 'b',
])('a bundle with a part at %j is written nowhere', (path) => {
  const target = join(directory, 'hostile');
  expect(() => writeDirectory(target, bundle('good', path))).toThrow('nothing was written');
  expect(existsSync(target)).toBe(false);
});

test('what cannot be written whole is removed: a part that is a directory of another', () => {
  const target = join(directory, 'half');
  expect(() => writeDirectory(target, bundle('a', 'a/b'))).toThrow();
  expect(existsSync(target)).toBe(false);
});

test('nothing is written over, nor through a link', () => {
  const [file, link, target] = ['file', 'link', 'target'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(file, 'mine');
  symlinkSync(target, link);
  for (const path of [file, link]) expect(() => writeFile(path, 'bundle')).toThrow('is there already');
  expect(() => refuseExisting(file)).toThrow('is there already');
  expect(() => refuseExisting(join(directory, 'nowhere', 'x'))).toThrow('nowhere is not there');
  expect(readFileSync(file, 'utf8')).toBe('mine');
  expect(existsSync(target)).toBe(false);
  const own = join(directory, 'own');
  mkdirSync(own);
  expect(() => writeDirectory(own, bundle('a'))).toThrow('is there already');
  expect(readdirSync(own)).toEqual([]);
});
