/**
 * `npm run lint`: eslint over everything, then prettier. The project graph is made first, because the boundary rule reads
 * Nx's cached one and without it only warns that it checks nothing; that warning is a failure here.
 */
import { spawnSync } from 'node:child_process';
import { fail, root, run } from './setup.mjs';

const env = { ...process.env, NX_DAEMON: 'false' };
const graph = spawnSync('node_modules/.bin/nx', ['graph', '--file=dist/graph.json'], {
  cwd: root,
  env,
  encoding: 'utf8',
});
if (graph.status !== 0) fail(`nx cannot make the project graph:\n${graph.stdout}${graph.stderr}`);

const eslint = spawnSync('node_modules/.bin/eslint', ['.'], { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 26 });
process.stdout.write(eslint.stdout);
process.stderr.write(eslint.stderr);
if (`${eslint.stdout}${eslint.stderr}`.includes('No cached ProjectGraph'))
  fail('the boundary rule was skipped: no project graph');
process.exit((eslint.status ?? 1) || run('node_modules/.bin/prettier', ['--check', '--log-level=warn', '.']));
