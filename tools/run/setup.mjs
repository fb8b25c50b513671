/**
 * What every command of the workspace needs first, in plain Node without dependencies: packages installed, tools of the
 * machine present, the binary built. Each step is skipped when nothing changed since it last ran.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const bun = join(root, 'node_modules', '.bin', 'bun');
const NODE_NEEDED = [20, 20];

/** Ends the process with one line that says what is wrong and what to do. */
export function fail(message) {
  process.stderr.write(`canal: ${message}\n`);
  process.exit(1);
}

export function step(text) {
  process.stderr.write(`canal: ${text}\n`);
}

/** Runs a command in the workspace, its output passed through; gives its exit status. */
export function run(command, args, env = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NX_DAEMON: 'false', ...env },
  });
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  return result.status ?? 1;
}

/** `npm ci` when node_modules does not match the lock file. */
export function installPackages() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor < NODE_NEEDED[1])) {
    fail(`Node ${process.versions.node} is too old: ${NODE_NEEDED.join('.')} or newer is needed (https://nodejs.org)`);
  }
  const stamp = join(root, 'node_modules', '.canal-lock');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  step('installing npm packages (npm ci)');
  if (run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']) !== 0)
    fail('npm ci failed: see its output above');
  writeFileSync(stamp, wanted);
}

export function isRoot() {
  return process.getuid?.() === 0;
}

/** Programs that tests judge with, and the Debian package of each. */
const TEST_TOOLS = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nft: 'nftables',
  iptables: 'iptables',
  tcpdump: 'tcpdump',
  iperf3: 'iperf3',
  ping: 'iputils-ping',
  conntrack: 'conntrack',
  strace: 'strace',
  sysctl: 'procps',
  python3: 'python3',
  curl: 'curl',
  readelf: 'binutils',
  openssl: 'openssl',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
};

/** Installs what tests lack. */
export function installTestTools() {
  installTools('a test run', TEST_TOOLS);
}

/** Installs what a cluster of real components lacks. */
export function installClusterTools() {
  installTools('a cluster', JSON.parse(readFileSync(join(root, 'tools/cluster/host-tools.json'), 'utf8')));
}

/** Installs what the check of workflows and scripts lacks. */
export function installScriptTools() {
  installTools('checking the scripts', { shellcheck: 'shellcheck' });
}

/** Installs with apt-get as root what is missing of `tools` (program or path to Debian package); otherwise names the command that does. */
function installTools(purpose, tools) {
  const missing = [
    ...new Set(
      Object.entries(tools)
        .filter(([tool]) => !present(tool))
        .map(([, debian]) => debian),
    ),
  ];
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!isRoot() || !present('apt-get')) fail(`${purpose} needs ${missing.join(', ')}: run "${command}" as root`);
  step(`installing Debian packages: ${missing.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = (args) => run('apt-get', ['-qq', '-o', 'Dpkg::Use-Pty=0', ...args], env) === 0;
  if (!quiet(['update']) || !quiet(['install', '-y', '--no-install-recommends', ...missing]))
    fail(`"${command}" failed`);
}

function present(tool) {
  if (tool.startsWith('/')) return existsSync(tool);
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  return path.split(':').some((folder) => folder !== '' && existsSync(join(folder, tool)));
}

/** dist/canal, by Nx: from its cache when no source changed. */
export function buildBinary() {
  const result = spawnSync('node_modules/.bin/nx', ['run', '@canal/canal:build', '--output-style=static'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NX_DAEMON: 'false' },
  });
  if (result.status !== 0) fail(`the build failed:\n${result.stdout}${result.stderr}`);
  return join(root, 'dist', 'canal');
}
