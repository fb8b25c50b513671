import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundledPackages, thirdPartyNotices } from './third-party.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-notices-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function install(folder: string, manifest: object, files: Readonly<Record<string, string>> = {}): void {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, 'package.json'), JSON.stringify(manifest));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, folder, name), text);
}

const bundle = (...sources: string[]) => ({
  outputs: { 'main.js': { inputs: Object.fromEntries(sources.map((source) => [source, {}])) } },
});

test('packages are found by their folders, scoped and nested ones too', () => {
  expect(
    bundledPackages([
      'apps/canal/src/main.ts',
      'node_modules/zod/v4/mini.js',
      'node_modules/zod/v4/core.js',
      'node_modules/@scope/name/index.js',
      'apps/canalctl/node_modules/yaml/dist/index.js',
      'node_modules/a/node_modules/b/index.js',
    ]),
  ).toEqual([
    'apps/canalctl/node_modules/yaml',
    'node_modules/@scope/name',
    'node_modules/a/node_modules/b',
    'node_modules/zod',
  ]);
});

test('a section for each package, sorted, each once', () => {
  install('node_modules/zod', { name: 'zod', version: '4.0.0', license: 'MIT' }, { LICENSE: 'Zod text\r\nline 2\n' });
  const yaml = { name: 'yaml', version: '2.9.1', license: 'ISC' };
  install('apps/x/node_modules/yaml', yaml, { 'LICENSE.md': 'Yaml text', 'README.md': 'no' });
  install('libs/y/node_modules/yaml', yaml, { 'LICENSE.md': 'Yaml text' });
  const sources = [
    'node_modules/zod/a.js',
    'apps/x/node_modules/yaml/a.js',
    'libs/y/node_modules/yaml/a.js',
    'libs/y/a.ts',
  ];
  expect(thirdPartyNotices(bundle(...sources), root)).toBe(
    'yaml 2.9.1: ISC\n\nYaml text\n\n\nzod 4.0.0: MIT\n\nZod text\nline 2\n',
  );
});

test('a package without a licence does not ship', () => {
  install('node_modules/none', { name: 'none', version: '1.0.0' });
  expect(() => thirdPartyNotices(bundle('node_modules/none/a.js'), root)).toThrow('none 1.0.0');
});
