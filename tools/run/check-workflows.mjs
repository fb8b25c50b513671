/**
 * `node tools/run/check-workflows.mjs`: actionlint over .github/workflows (it runs shellcheck over their scripts) and
 * shellcheck over the shell scripts of the workspace. actionlint is a pinned Go module and needs Go to be built.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fail, installScriptTools, root, run, step } from './setup.mjs';

if (spawnSync('go', ['version']).status !== 0) fail('checking the workflows needs Go 1.25 or newer: https://go.dev/dl');
installScriptTools();
step('actionlint and shellcheck');
const module = join(root, 'tools', 'image', 'go', 'actionlint');
const actionlint = run('go', ['-C', module, 'tool', 'actionlint']);
const listed = spawnSync('git', ['ls-files', '-z', '--', '*.sh', '.ci/run'], { cwd: root, encoding: 'utf8' });
const scripts = listed.stdout.split('\0').filter((name) => name !== '');
if (listed.status !== 0 || scripts.length === 0) fail(`git ls-files finds no shell script: ${listed.stderr}`);
process.exit(actionlint | run('shellcheck', scripts));
