/**
 * Builds a publishable library into its dist/: JavaScript and declarations beside each other, and a package.json whose
 * exports point at them. Inside the workspace the sources are used; `npm publish libs/NAME/dist` publishes this.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const folder = process.argv[2];
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const dist = join(folder, 'dist');

/** Declarations of workspace dependencies come from their own dist, built before by Nx. */
const paths = Object.fromEntries(
  Object.entries(manifest.dependencies ?? {})
    .filter(([name]) => existsSync(join('libs', name, 'package.json')))
    .map(([name]) => [name, [`./${relative(folder, join('libs', name, 'dist', 'index.d.ts'))}`]]),
);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const config = join(folder, 'tsconfig.build.tmp.json');
writeFileSync(
  config,
  JSON.stringify({
    extends: '../../tsconfig.base.json',
    compilerOptions: { noEmit: false, declaration: true, outDir: 'dist', rootDir: 'src', types: ['node'], paths },
    include: ['src'],
    exclude: ['src/**/*.test.ts', 'src/**/*.ktest.ts', 'src/**/*.bench.ts'],
  }),
);
const result = spawnSync('node_modules/.bin/tsc', ['-p', config], { stdio: 'inherit' });
rmSync(config);
if (result.status !== 0) process.exit(result.status ?? 1);

const built = (path) => ({
  types: path.replace('./src/', './').replace(/\.ts$/, '.d.ts'),
  default: path.replace('./src/', './').replace(/\.ts$/, '.js'),
});
const { nx: _nx, devDependencies: _dev, exports, ...rest } = manifest;
const published = {
  ...rest,
  exports: Object.fromEntries(Object.entries(exports).map(([key, path]) => [key, built(path)])),
};
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
for (const name of ['README.md']) if (existsSync(join(folder, name))) cpSync(join(folder, name), join(dist, name));
cpSync('LICENSE', join(dist, 'LICENSE'));
