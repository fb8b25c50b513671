/**
 * Breaks every layer rule once and expects the lint error, and takes every allowed import once and expects none: a rule
 * that is configured but never fires is worth nothing. One real file of each layer is linted with other text in it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ESLint, type Linter } from 'eslint';
import { expect, test } from 'vitest';
import { CNI_BANNED, type LayerRule, LAYERS, SCOPES } from '../../nx/layers.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
process.env['NX_DAEMON'] = 'false';
// In CI the parser would take a file's syntax tree from disk once and overlook the text that is linted in its place.
process.env['TSESTREE_SINGLE_RUN'] = 'false';
const eslint = new ESLint({ cwd: root });

interface Project {
  readonly name: string;
  readonly file: string;
  readonly layer: string;
  readonly scope: string;
}

const projects: readonly Project[] = ['libs', 'apps', 'tools'].flatMap((group) =>
  readdirSync(`${root}${group}`).flatMap((folder): Project[] => {
    const manifestPath = `${root}${group}/${folder}/package.json`;
    if (!existsSync(manifestPath)) return [];
    const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as { name: string; nx: { tags: string[] } };
    const tag = (axis: string): string => manifest.nx.tags.find((t) => t.startsWith(`${axis}:`))?.split(':')[1] ?? '';
    const sources = readdirSync(`${root}${group}/${folder}/src`).filter(isProduction);
    const file = sources.find((name) => name === 'index.ts' || name === 'main.ts') ?? sources[0];
    if (file === undefined) return [];
    return [{ name: manifest.name, file: `${group}/${folder}/src/${file}`, layer: tag('layer'), scope: tag('scope') }];
  }),
);

function isProduction(name: string): boolean {
  return name.endsWith('.ts') && !/\.(test|ktest|bench)\.ts$/.test(name);
}

async function lint(file: string, text: string): Promise<Linter.LintMessage[]> {
  const [result] = await eslint.lintText(text, { filePath: `${root}${file}` });
  const messages = result?.messages ?? [];
  const fatal = messages.find((message) => message.fatal === true);
  if (fatal !== undefined) throw new Error(`${file}: ${fatal.message}`);
  return messages;
}

const BOUNDARY = '@nx/enforce-module-boundaries';

/** Lines (from 1) of the text on which the rule speaks. */
async function linesWith(ruleId: string, file: string, text: string): Promise<number[]> {
  const found = (await lint(file, text)).filter((message) => message.ruleId === ruleId).map((message) => message.line);
  return [...new Set(found)].sort((a, b) => a - b);
}

const importOf = (name: string, index: number): string => `import * as m${index} from '${name}'; export { m${index} };`;
const oneOf = (layer: string, not: string): Project | undefined =>
  projects.find((project) => project.layer === layer && project.name !== not);

test('every project names a known layer and a known scope', () => {
  const unknown = projects.filter((project) => !(project.layer in LAYERS) || !(project.scope in SCOPES));
  expect(unknown).toEqual([]);
});

function rule(layer: string): LayerRule {
  const found = LAYERS[layer];
  if (found === undefined) throw new Error(`no layer ${layer}`);
  return found;
}

const linted = Object.keys(LAYERS).filter((layer) => layer !== 'test' && layer !== 'tool');

test.each(linted)('layer %s: each forbidden layer is an error', async (layer) => {
  const source = projects.find((project) => project.layer === layer);
  if (source === undefined) throw new Error(`no project in layer ${layer}`);
  const allowed = rule(layer).uses;
  const forbidden = Object.keys(LAYERS)
    .filter((other) => !allowed.includes(other))
    .map((other) => oneOf(other, source.name))
    .filter((project) => project !== undefined);
  const text = forbidden.map((project, index) => importOf(project.name, index)).join('\n');
  expect(await linesWith(BOUNDARY, source.file, text)).toEqual(forbidden.map((_, index) => index + 1));
});

test.each(linted.filter((layer) => rule(layer).external.length === 0))(
  'layer %s: an npm package is an error',
  async (layer) => {
    const source = projects.find((project) => project.layer === layer);
    expect(await linesWith(BOUNDARY, source?.file ?? '', importOf('zod', 0))).toEqual([1]);
  },
);

test('layer edge takes zod and nothing else', async () => {
  const source = projects.find((project) => project.layer === 'edge' && project.scope === 'shared');
  const text = [importOf('zod', 0), importOf('yaml', 1)].join('\n');
  expect(await linesWith(BOUNDARY, source?.file ?? '', text)).toEqual([2]);
});

test.each(linted.filter((layer) => !rule(layer).runtime))(
  'layer %s: runtime modules, globals and bun:ffi are errors',
  async (layer) => {
    const source = projects.find((project) => project.layer === layer);
    const imports = ['node:fs', 'bun:sqlite', 'bun:ffi', 'bun'].map(importOf).join('\n');
    expect(await linesWith('no-restricted-imports', source?.file ?? '', imports)).toEqual([1, 2, 3, 4]);
    const globals = 'export const a = process;\nexport const b = fetch;\nexport const c = setTimeout;';
    expect(await linesWith('no-restricted-globals', source?.file ?? '', globals)).toEqual([1, 2, 3]);
  },
);

test.each(['value', 'model', 'core', 'edge'])('layer %s: async, clock and chance are errors', async (layer) => {
  const source = projects.find((project) => project.layer === layer);
  const text = [
    'export async function f(): Promise<void> { await Promise.resolve(); }',
    'export const b = Date.now();',
    'export const c = new Date();',
    'export const d = Math.random();',
    'export default 1;',
  ].join('\n');
  expect(await linesWith('no-restricted-syntax', source?.file ?? '', text)).toEqual([1, 2, 3, 4, 5]);
});

test('bun:ffi is an error everywhere but in linux-ffi', async () => {
  const text = importOf('bun:ffi', 0);
  for (const project of projects.filter((candidate) => !['test', 'tool'].includes(candidate.layer))) {
    const expected = project.name === '@canal/linux-ffi' ? [] : [1];
    expect(await linesWith('no-restricted-imports', project.file, text), project.name).toEqual(expected);
  }
});

test('another project is imported by its name, never by a path', async () => {
  const text = importOf('../../net-types/src/index.ts', 0);
  expect(await lint('libs/model/src/index.ts', text)).not.toEqual([]);
});

test.each(CNI_BANNED.map((name) => name.replace('/*', '/client-node')))(
  'the CNI plugin may not import %s',
  async (name) => {
    expect(await linesWith(BOUNDARY, 'apps/cni/src/main.ts', importOf(name, 0))).toEqual([1]);
  },
);

test.each(Object.keys(SCOPES).filter((scope) => scope !== 'tool'))(
  'scope %s: foreign scopes are errors',
  async (scope) => {
    const source = projects.find((project) => project.scope === scope && project.layer !== 'test');
    if (source === undefined) throw new Error(`no project in scope ${scope}`);
    const allowed = SCOPES[scope] ?? [];
    const foreign = projects
      // The tools and the entry export nothing: nobody can import them, and Nx does not resolve their names.
      .filter((project) => !['tool', 'entry'].includes(project.layer) && project.name !== source.name)
      .filter((project) => !allowed.includes(project.scope))
      .map((project) => project.name);
    const text = foreign.map(importOf).join('\n');
    expect(await linesWith(BOUNDARY, source.file, text)).toEqual(foreign.map((_, index) => index + 1));
  },
);
