/**
 * Nx plugin: gives every project under apps/, libs/ and tools/ the same targets, from what its folder holds, so that no
 * project configures a tool by itself. Real-kernel tests and benchmarks are never cached: the kernel is not an input.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const BUN = 'node_modules/.bin/bun --bun';
const VITEST = `${BUN} node_modules/.bin/vitest run`;
const SHARED = ['{workspaceRoot}/tsconfig.base.json', '{workspaceRoot}/package-lock.json'];
const CODE = ['default', '^default', ...SHARED];

export const createNodesV2 = [
  '{apps,libs,tools}/*/package.json',
  (files, _options, context) => files.map((file) => [file, { projects: projectOf(file, context.workspaceRoot) }]),
];

function projectOf(file, workspaceRoot) {
  const root = dirname(file);
  const manifest = JSON.parse(readFileSync(join(workspaceRoot, file), 'utf8'));
  return { [root]: { root, name: manifest.name, targets: targetsOf(root, workspaceRoot, manifest) } };
}

function targetsOf(root, workspaceRoot, manifest) {
  const sources = sourceFiles(join(workspaceRoot, root, 'src'));
  const has = (suffix) => sources.some((name) => name.endsWith(suffix));
  const targets = {
    typecheck: run(`node_modules/.bin/tsc --noEmit -p ${root}`, { cache: true, inputs: CODE }),
    lint: run(`node_modules/.bin/eslint ${root}`, {
      cache: true,
      inputs: [...CODE, '{workspaceRoot}/eslint.config.mjs', '{workspaceRoot}/tools/nx/layers.mjs'],
    }),
  };
  if (has('.test.ts')) {
    // The report is an output, so that a cached run still counts in the closing line of `npm test`.
    const report = `dist/test-results/${root.replaceAll('/', '-')}.json`;
    targets.test = run(`${VITEST} ${root}/ --reporter=default --reporter=json --outputFile.json=${report}`, {
      cache: true,
      inputs: [...CODE, '{workspaceRoot}/vitest.config.ts'],
      outputs: [`{workspaceRoot}/${report}`],
    });
  }
  if (has('.ktest.ts')) targets.ktest = run(`${VITEST} ${root}/`, { cache: false, env: { CANAL_KTEST: '1' } });
  if (has('.bench.ts')) targets.bench = run(`node tools/run/bench.mjs ${root}`, { cache: false });
  if (root === 'apps/canal') {
    targets.build = run(`${BUN} apps/canal/build.ts`, {
      cache: true,
      inputs: CODE,
      outputs: ['{workspaceRoot}/dist/canal'],
    });
  } else if (manifest.private !== true && root.startsWith('libs/')) {
    targets.build = run(`node tools/nx/build-package.mjs ${root}`, {
      cache: true,
      inputs: [...CODE, '{workspaceRoot}/tools/nx/build-package.mjs'],
      outputs: ['{projectRoot}/dist'],
      dependsOn: ['^build'],
    });
  }
  return targets;
}

function sourceFiles(folder) {
  return existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : [];
}

function run(command, { env, ...rest }) {
  return { executor: 'nx:run-commands', options: { command, cwd: '{workspaceRoot}', ...(env && { env }) }, ...rest };
}
