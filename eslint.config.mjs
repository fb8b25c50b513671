import { readFileSync, readdirSync } from 'node:fs';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';
import { depConstraints, LAYERS } from './tools/nx/layers.mjs';

const TESTS = ['**/*.test.ts', '**/*.ktest.ts', '**/*.e2e.ts', '**/*.bench.ts', '**/examples/*.ts'];

/** Project folders with their layer, read from the tags, so that a new library is covered by naming its layer. */
const projects = ['apps', 'libs', 'tools'].flatMap((group) =>
  readdirSync(new URL(`./${group}/`, import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      const folder = `${group}/${entry.name}`;
      const manifest = readManifest(folder);
      if (manifest === undefined) return [];
      const tag = manifest.nx?.tags?.find((name) => name.startsWith('layer:'));
      if (tag === undefined) throw new Error(`${folder}/package.json has no layer: tag`);
      return [{ folder, layer: tag.slice('layer:'.length) }];
    }),
);

function readManifest(folder) {
  try {
    return JSON.parse(readFileSync(new URL(`./${folder}/package.json`, import.meta.url), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const foldersOf = (matches) => projects.filter((project) => matches(project.layer)).map((project) => project.folder);
const sources = (folders) => folders.map((folder) => `${folder}/src/**/*.ts`);

const RUNTIME_MODULES = {
  group: ['node:*', 'bun', 'bun:*', 'fs', 'fs/*', 'child_process', 'net', 'http', 'https', 'crypto', 'os', 'path'],
  message: 'This layer is pure: no I/O, no clock, no runtime modules (docs/ARCHITECTURE.md, layers).',
};
const FFI = { group: ['bun:ffi'], message: 'libs/linux-ffi alone imports bun:ffi.' };
const OWN_SOURCES = {
  group: ['**/libs/**', '**/apps/**', '../../../*'],
  message: 'Import another project by its package name.',
};

const impureGlobals = ['fetch', 'Bun', 'process', 'setTimeout', 'setInterval', 'performance', 'console'].map(
  (name) => ({
    name,
    message: 'This layer is pure: take what you need as a parameter.',
  }),
);
const impureCalls = [
  { selector: "MemberExpression[object.name='Date'][property.name='now']", message: 'Pure layers have no clock.' },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Pure layers have no clock.' },
  { selector: "MemberExpression[object.name='Math'][property.name='random']", message: 'Pure layers have no chance.' },
];

const boundaries = (options) => [
  'error',
  {
    allow: [],
    enforceBuildableLibDependency: true,
    banTransitiveDependencies: true,
    // Nested imports would count what a library's tests import; the bundle check sees what really ships.
    checkNestedExternalImports: false,
    // Tests of what the harness is made of use the harness; production code has no such edge (its layer forbids it).
    ignoredCircularDependencies: [['@canal/testing', '*']],
    depConstraints: depConstraints(),
    ...options,
  },
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', '**/tmp/**', '**/*.mjs'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      // One program for all: a program a project would not fit into memory.
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': boundaries(),
      'no-restricted-imports': ['error', { patterns: [FFI, OWN_SOURCES] }],
      'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' }],
      'no-console': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Numbers in text are the point of most messages here.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Waiting on purpose inside a loop is how order is kept; floating promises stay errors.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    // bun:sqlite is part of the runtime, which the rule takes for a package that nobody declared.
    files: ['libs/store-embedded/src/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries({ banTransitiveDependencies: false }) },
  },
  {
    files: ['libs/linux-ffi/src/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [OWN_SOURCES] }] },
  },
  {
    files: sources(foldersOf((layer) => LAYERS[layer].runtime === false)),
    ignores: TESTS,
    rules: {
      'no-restricted-imports': ['error', { patterns: [RUNTIME_MODULES, OWN_SOURCES] }],
      'no-restricted-globals': ['error', ...impureGlobals],
    },
  },
  {
    files: sources(foldersOf((layer) => ['value', 'model', 'core', 'edge'].includes(layer))),
    ignores: TESTS,
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: ':function[async=true]', message: 'This layer is synchronous: no async.' },
        ...impureCalls,
      ],
    },
  },
  {
    // A test may use the fakes, the contract suites and the harness; boundaries of production code do not bind it.
    files: [...TESTS, ...sources(foldersOf((layer) => layer === 'test'))],
    rules: {
      '@nx/enforce-module-boundaries': 'off',
      'no-restricted-globals': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // The command line's output is its job.
    files: ['**/examples/*.ts', '**/*.bench.ts', '**/*.config.ts'],
    rules: { 'no-console': 'off', 'no-restricted-syntax': 'off' },
  },
);
