/**
 * `npm run manifest [-- --check] [-- --kubectl PATH]`: renders deploy/canal.yaml from deploy/kustomize. `--check` writes
 * nothing and fails when the committed file is another. kubectl: as given, else the one in PATH, else the cluster tool's.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bun, fail, installPackages, root, run } from './setup.mjs';

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
  const built = builtKubectl();
  if (built !== undefined) return built;
  if (run(bun, ['tools/cluster/src/main.ts', 'build', '--only', 'kubectl']) !== 0)
    fail('no kubectl: install one, or name it by --kubectl');
  return builtKubectl() ?? fail('the cluster tool has built no kubectl');
}

/** Any of them does: what is rendered depends on the kustomize in it alone. */
function builtKubectl() {
  const cache = resolve(root, process.env.CANAL_CACHE || join(homedir(), '.cache', 'canal'), 'cluster');
  if (!existsSync(cache)) return undefined;
  const folders = readdirSync(cache).filter((name) => name.startsWith('kubernetes-'));
  return folders.map((name) => join(cache, name, 'kubectl')).find((path) => existsSync(path));
}

/** What the command prints; its errors are passed through. */
function capture(command, args) {
  const { status, stdout, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  if (error !== undefined || status !== 0) fail(`${[command, ...args].join(' ')} failed: see above`);
  return stdout.toString();
}
