/**
 * `npm run manifest [-- --check] [-- --kubectl PATH]`: renders deploy/canal.yaml from deploy/kustomize. `--check` writes
 * nothing and fails when the committed file is another. kubectl: as given, else the one in PATH, else the cluster tool's.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bun, fail, installPackages, root } from './setup.mjs';

const target = join(root, 'deploy', 'canal.yaml');
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, kubectl: { type: 'string' } } });
installPackages();
const rendered = capture(bun, ['tools/workspace/src/render-manifest.ts', values.kubectl ?? findKubectl()]);
if (values.check) {
  if (readFileSync(target, 'utf8') !== rendered) {
    fail('deploy/canal.yaml is not what deploy/kustomize renders to: run "npm run manifest" and commit both');
  }
} else {
  writeFileSync(target, rendered);
}

function findKubectl() {
  if (spawnSync('kubectl', ['version', '--client']).status === 0) return 'kubectl';
  return JSON.parse(capture(bun, ['tools/cluster/src/main.ts', 'build', '--output', 'json', '--only', 'kubectl']))
    .kubectl;
}

/** What the command prints; its errors are passed through. */
function capture(command, args) {
  const { status, stdout, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  if (error !== undefined || status !== 0) fail(`${[command, ...args].join(' ')} failed: see above`);
  return stdout.toString();
}
