/**
 * `npm run bench [-- PATH…]`: runs every *.bench.ts (or those under the paths), each a program of its own that prints a
 * table: ours and a peer side by side, interleaved in one run, as medians and their ratio. Never part of a test run.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildBinary, bun, fail, installPackages, installTestTools, isRoot, root, run, step } from './setup.mjs';

if (!isRoot()) fail('benchmarks make network namespaces and need root: run "sudo npm run bench"');
const paths = process.argv.slice(2);
installPackages();
installTestTools();
step('building dist/canal');
buildBinary();
const benches = ['apps', 'libs', 'tools']
  .flatMap((group) => readdirSync(join(root, group), { recursive: true }).map((name) => join(group, String(name))))
  .filter((name) => name.endsWith('.bench.ts') && !name.includes('node_modules') && !name.includes('/dist/'))
  .filter((name) => paths.length === 0 || paths.some((path) => name.startsWith(path)))
  .sort();
if (benches.length === 0) fail(`no benchmark under ${paths.join(' ')}`);
let status = 0;
for (const bench of benches) {
  step(bench);
  status |= run(bun, ['--bun', bench]);
}
process.exit(status);
