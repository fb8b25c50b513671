/** Builds the programs that are not built yet, with Go's own cache below; one line of progress per run of the compiler. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ClusterError } from './failure.ts';
import type { GoModule, KubernetesMinor, Program } from './programs.ts';
import { CNI_PLUGINS, buildKey, goModules, requiredVersion } from './programs.ts';

const GO_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '..', 'go');
const GO_NEEDED = [1, 26] as const;

/** Where every program of a cluster is. */
export interface Programs {
  readonly kubernetesVersion: string;
  readonly path: Readonly<Record<Program, string>>;
  /** Paths of the reference CNI plugins, by name. */
  readonly cniPlugins: Readonly<Record<string, string>>;
  /** Folders of the programs, for a PATH. */
  readonly folders: readonly string[];
}

export type Progress = (line: string) => void;

export interface BuildOptions {
  readonly kubernetes: KubernetesMinor;
  readonly progress: Progress;
  /** Added to the compiler's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export function cacheFolder(): string {
  const configured = process.env['CANAL_CACHE'];
  return join(
    configured === undefined || configured === '' ? join(homedir(), '.cache', 'canal') : configured,
    'cluster',
  );
}

/** Makes what is missing and gives the paths. Throws `host` without Go (only when something is missing), `failed` else. */
export async function buildPrograms(options: BuildOptions): Promise<Programs> {
  const modules = goModules(options.kubernetes).map((module) => locate(module));
  const missing = modules.filter(({ folder }) => !existsSync(folder));
  if (missing.length > 0) {
    checkGo();
    const start = Date.now();
    const steps = missing.reduce((sum, { module }) => sum + module.steps.length, 0);
    let step = 0;
    for (const located of missing) step = await buildModule(located, step, steps, options);
    options.progress(`built ${steps} of ${steps} in ${seconds(start)} s`);
  }
  const path: Record<string, string> = {};
  for (const { module, folder } of modules)
    for (const program of module.steps.flatMap((step) => step.programs)) path[program] = join(folder, program);
  const kubernetes = modules.find(({ module }) => module.pinned === 'k8s.io/kubernetes');
  return {
    kubernetesVersion: kubernetes?.version ?? '',
    path: path as Record<Program, string>,
    cniPlugins: Object.fromEntries(CNI_PLUGINS.map((name) => [name, path[name] ?? ''])),
    folders: modules.map(({ folder }) => folder),
  };
}

interface Located {
  readonly module: GoModule;
  readonly source: string;
  readonly folder: string;
  readonly version: string;
}

function locate(module: GoModule): Located {
  const source = join(GO_FOLDER, module.folder);
  const goMod = readFileSync(join(source, 'go.mod'), 'utf8');
  const goSum = readFileSync(join(source, 'go.sum'), 'utf8');
  const version = requiredVersion(goMod, module.pinned);
  if (version === undefined)
    throw new ClusterError('failed', `${join(source, 'go.mod')} does not require ${module.pinned}: restore the file`);
  return { module, source, folder: join(cacheFolder(), buildKey(module, goMod, goSum, process.arch)), version };
}

/** Builds into a folder of its own and renames it, so that a build that was cut off is never taken for a whole one. */
async function buildModule(located: Located, done: number, total: number, options: BuildOptions): Promise<number> {
  const { module, source, folder, version } = located;
  mkdirSync(dirname(folder), { recursive: true });
  const partial = mkdtempSync(`${folder}.partial-`);
  chmodSync(partial, 0o755);
  let step = done;
  try {
    for (const { title, packages, output } of module.steps) {
      step += 1;
      const start = Date.now();
      const label = `[${step}/${total}] ${title} (${module.folder} ${version})`;
      options.progress(`building ${label}`);
      const target = output === undefined ? `${partial}/` : join(partial, output);
      const tags = module.tags === '' ? [] : ['-tags', module.tags];
      const flags = ['build', '-p', '2', '-trimpath', ...tags, '-ldflags', module.ldflags(version), '-o', target];
      await go([...flags, ...packages], source, label, options);
      options.progress(`built ${label} in ${seconds(start)} s`);
    }
    // Another clone may have built the same meanwhile, and use it.
    if (!existsSync(folder)) renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return step;
}

function go(args: readonly string[], cwd: string, label: string, options: BuildOptions): Promise<void> {
  const env = { ...process.env, ...options.env, GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' };
  const child = spawn('nice', ['go', ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const start = Date.now();
  const alive = setInterval(() => options.progress(`still building ${label}: ${seconds(start)} s`), 30_000);
  return new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve();
      else
        reject(
          new ClusterError('failed', `go build of ${label} failed in ${cwd} (GOPROXY reachable?):\n${output.trim()}`),
        );
    });
  }).finally(() => clearInterval(alive));
}

function checkGo(): void {
  const wanted = `Go ≥ ${GO_NEEDED.join('.')} builds the Kubernetes programs of the cluster`;
  const advice = 'install it from https://go.dev/dl and put its bin folder on PATH';
  const found = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  if (found.status !== 0) throw new ClusterError('host', `${wanted}, and there is no "go" on PATH: ${advice}`);
  const [major = 0, minor = 0] = found.stdout.trim().replace(/^go/, '').split('.').map(Number);
  if (major < GO_NEEDED[0] || (major === GO_NEEDED[0] && minor < GO_NEEDED[1]))
    throw new ClusterError('host', `${wanted}, and "go" is ${found.stdout.trim()}: ${advice}`);
}

function seconds(since: number): number {
  return Math.round((Date.now() - since) / 1000);
}
