/** Builds the programs that are not built yet, with Go's own cache below; one line of progress per run of the compiler. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cacheFolder } from '@canal/image';

import { ClusterError } from './failure.ts';
import type { GoModule, KubernetesMinor, Program, Target } from './programs.ts';
import { CNI_PLUGINS, PROMTOOL, buildKey, goModules, requiredVersion } from './programs.ts';

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
  /** Builds this program alone; the others' paths may then lead to nothing. */
  readonly only?: string;
}

/** Makes what is missing and gives the paths. Throws `host` without Go (only when something is missing), `failed` else. */
export async function buildPrograms(options: BuildOptions): Promise<Programs> {
  const modules = goModules(options.kubernetes).map((module) => locate(module));
  const path: Record<string, string> = {};
  for (const { module, folder } of modules)
    for (const { program } of module.steps.flat()) path[program] = join(folder, program);
  if (options.only !== undefined && path[options.only] === undefined)
    throw new ClusterError('usage', `no program ${options.only}: expected one of ${Object.keys(path).join(', ')}`);

  const runs = modules.flatMap((located) =>
    located.module.steps
      .map((step) => step.filter(({ program }) => isWanted(program, located.folder, options)))
      .filter((targets) => targets.length > 0)
      .map((targets) => ({ located, targets })),
  );
  if (runs.length > 0) {
    checkGo();
    const start = Date.now();
    for (const [index, { located, targets }] of runs.entries())
      await buildTargets(located, targets, `[${index + 1}/${runs.length}]`, options);
    options.progress(`built all that was missing in ${seconds(start)} s`);
  }
  const kubernetes = modules.find(({ module }) => module.pinned === 'k8s.io/kubernetes');
  return {
    kubernetesVersion: kubernetes?.version ?? '',
    path: path as Record<Program, string>,
    cniPlugins: Object.fromEntries(CNI_PLUGINS.map((name) => [name, path[name] ?? ''])),
    folders: modules.map(({ folder }) => folder),
  };
}

/** Path of promtool. Throws as buildPrograms does. */
export async function buildPromtool(progress: Progress): Promise<string> {
  const located = locate(PROMTOOL);
  const path = join(located.folder, 'promtool');
  if (existsSync(path)) return path;
  checkGo();
  await buildTargets(located, PROMTOOL.steps.flat(), '[1/1]', { progress });
  return path;
}

function isWanted(program: string, folder: string, { only }: BuildOptions): boolean {
  return (only === undefined || only === program) && !existsSync(join(folder, program));
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
  return {
    module,
    source,
    folder: join(cacheFolder('cluster'), buildKey(module, goMod, goSum, process.arch)),
    version,
  };
}

/** What is being made in the cache begins so. */
export const PARTIAL = '.partial-';
const PARTIAL_LIMIT = 24 * 3600 * 1000;

/** Removes what makers that were killed have left in a folder of the cache; nobody works on one thing for a day. */
export function removeOldPartials(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const changed = name.startsWith(PARTIAL) ? statSync(path, { throwIfNoEntry: false })?.mtimeMs : undefined;
    if (changed !== undefined && Date.now() - changed > PARTIAL_LIMIT) rmSync(path, { recursive: true, force: true });
  }
}

/** Builds into a folder of its own and moves what is whole: a program that is there is never half written. */
async function buildTargets(
  { module, source, folder, version }: Located,
  targets: readonly Target[],
  count: string,
  options: Pick<BuildOptions, 'progress'>,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  removeOldPartials(folder);
  const partial = mkdtempSync(join(folder, PARTIAL));
  try {
    const start = Date.now();
    const label = `${count} ${targets.map(({ program }) => program).join(', ')} (${module.folder} ${version})`;
    options.progress(`building ${label}`);
    const [first] = targets;
    const output = targets.length === 1 && first !== undefined ? join(partial, first.program) : `${partial}/`;
    const tags = module.tags === '' ? [] : ['-tags', module.tags];
    const flags = ['build', '-p', '2', '-trimpath', ...tags, '-ldflags', module.ldflags(version), '-o', output];
    await go([...flags, ...targets.map((target) => target.package)], source, label, options);
    for (const { program } of targets) renameSync(join(partial, program), join(folder, program));
    options.progress(`built ${label} in ${seconds(start)} s`);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function go(
  args: readonly string[],
  cwd: string,
  label: string,
  { progress }: Pick<BuildOptions, 'progress'>,
): Promise<void> {
  const env = {
    ...process.env,
    GOFLAGS: '-buildvcs=false',
    CGO_ENABLED: '0',
    // For this machine and from these pins, whatever the caller builds elsewhere.
    GOOS: 'linux',
    GOARCH: process.arch === 'x64' ? 'amd64' : process.arch,
    GOWORK: 'off',
  };
  const child = spawn('nice', ['go', ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const start = Date.now();
  const alive = setInterval(() => progress(`still building ${label}: ${seconds(start)} s`), 30_000);
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
  const wanted = `Go ≥ ${GO_NEEDED.join('.')} builds the programs of the cluster`;
  const advice = 'install it from https://go.dev/dl and put its bin folder on PATH';
  const found = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  if (found.error !== undefined) throw new ClusterError('host', `${wanted}, and there is no "go" on PATH: ${advice}`);
  if (found.status !== 0) throw new ClusterError('host', `${wanted}, and "go" fails: ${found.stderr.trim()}`);
  const [major = 0, minor = 0] = found.stdout.trim().replace(/^go/, '').split('.').map(Number);
  if (major < GO_NEEDED[0] || (major === GO_NEEDED[0] && minor < GO_NEEDED[1]))
    throw new ClusterError('host', `${wanted}, and "go" is ${found.stdout.trim()}: ${advice}`);
}

function seconds(since: number): number {
  return Math.round((Date.now() - since) / 1000);
}
