/**
 * `bun tools/cluster/src/crash-check.ts [MILLISECONDS…]`: proves that `down` leaves nothing behind. For each moment: `up`
 * is started, killed with SIGKILL so many milliseconds later, `down` is called, and the machine is compared with how it
 * was. A last round lets `up` end, kills every process of a control-plane component and a node's holder, then takes down.
 * What the machine has is listed by second tools: ip, findmnt, /proc, the cgroup file systems. Other programs of the
 * machine may come and go meanwhile: of processes only those in a namespace, cgroup or environment of the cluster count.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startTime } from './process.ts';

const NAME = 'crash';
const MAIN = join(dirname(fileURLToPath(import.meta.url)), 'main.ts');
const HOME = `/var/lib/canal-cluster/${NAME}`;
/** Raised while any cluster is up. */
const INOTIFY = ['fs/inotify/max_user_instances', 'fs/inotify/max_user_watches'];
const TICKS_PER_SECOND = 100;
const DEFAULT_MOMENTS = [50, 150, 300, 500, 800, 1200, 1800, 2500, 3500, 5000, 7000, 9000];

type Snapshot = ReadonlySet<string>;

/** What belongs to another cluster of this machine: link names, routes, folders. */
function ofOthers(): (line: string) => boolean {
  const folder = '/var/lib/canal-cluster';
  if (!existsSync(folder)) return () => false;
  const numbers = readdirSync(folder).flatMap((file) => {
    const number = /^\.underlay-(\d+)$/.exec(file)?.[1];
    return number !== undefined && readFileSync(join(folder, file), 'utf8') !== NAME ? [number] : [];
  });
  const points = existsSync(join(folder, '.mount-points')) ? readFileSync(join(folder, '.mount-points'), 'utf8') : '';
  const shared =
    numbers.length === 0
      ? []
      : [folder, join(folder, '.mount-points'), join(folder, '.settings.json'), ...points.split('\n')];
  return (line) =>
    numbers.some((number) => [`cluster${number}`, join(folder, `.underlay-${number}`)].includes(line)) ||
    numbers.some((number) => line.startsWith(`172.30.${number}.0/`)) ||
    (line.startsWith(`${folder}/`) && !line.includes(NAME) && !line.includes('/.')) ||
    (numbers.length > 0 && INOTIFY.some((setting) => line.startsWith(setting))) ||
    shared.includes(line);
}

/** Everything of the machine that a cluster could leave: links, routes, mounts, cgroups, folders, settings. */
function snapshot(): Snapshot {
  const found = new Set<string>();
  const others = ofOthers();
  const add = (kind: string, lines: readonly string[]): void => {
    for (const line of lines) if (line !== '' && !others(line)) found.add(`${kind} ${line}`);
  };
  const output = (command: string, ...args: string[]): string[] =>
    spawnSync(command, args, { encoding: 'utf8' }).stdout.split('\n');
  add(
    'link',
    output('ip', '-br', 'link')
      .map((line) => line.split(/[ @]/)[0] ?? '')
      .filter((name) => /^cluster/.test(name)),
  );
  add(
    'route',
    output('ip', 'route').filter((line) => line.startsWith('172.30.')),
  );
  add(
    'netns',
    output('ip', 'netns').filter((line) => line.includes(NAME)),
  );
  add(
    'mount',
    output('findmnt', '-rno', 'TARGET').filter((line) => line.includes(NAME)),
  );
  add('cgroup', output('find', '/sys/fs/cgroup', '-type', 'd', '-name', `canal-cluster-${NAME}*`));
  for (const folder of [
    ...['/var/lib', '/var/log', '/etc', '/opt', '/run', '/usr/libexec', '/var/lib/canal-cluster'],
    ...['/root', '/root/.kube/cache/discovery'],
  ])
    if (existsSync(folder))
      add(
        'entry',
        readdirSync(folder).map((entry) => join(folder, entry)),
      );
  for (const path of [
    'vm/overcommit_memory',
    'kernel/panic',
    'kernel/panic_on_oops',
    'kernel/keys/root_maxkeys',
    ...INOTIFY,
  ])
    add('setting', [`${path} ${readFileSync(`/proc/sys/${path}`, 'utf8').trim()}`]);
  return found;
}

interface Marks {
  readonly id: string | undefined;
  readonly namespaces: ReadonlySet<string>;
  /** Processes started later (clock ticks since boot) may be in a namespace that got a used number. */
  readonly until: number;
}

/** What tells the cluster's processes, as far as it came. */
function marks(): Marks {
  const file = join(HOME, 'state.json');
  const id = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { id: string }).id : undefined;
  const own = namespaces('self');
  const found = new Set<string>();
  for (const pid of processes())
    if (belongs(pid, { id, namespaces: new Set(), until: 0 }))
      for (const namespace of namespaces(pid)) if (!own.includes(namespace)) found.add(namespace);
  const until = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * TICKS_PER_SECOND;
  return { id, namespaces: found, until };
}

function processes(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function namespaces(pid: string): string[] {
  try {
    return ['net', 'mnt', 'uts'].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
  } catch {
    return [];
  }
}

function belongs(pid: string, { id, namespaces: known, until }: Marks): boolean {
  const read = (file: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1');
    } catch {
      return '';
    }
  };
  return (
    (id !== undefined && read('environ').includes(id)) ||
    read('cgroup').includes(`canal-cluster-${NAME}`) ||
    (Number(startTime(Number(pid))) <= until && namespaces(pid).some((namespace) => known.has(namespace)))
  );
}

function run(...words: string[]): number {
  const result = spawnSync(process.execPath, [MAIN, ...words, '--name', NAME], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (result.status !== 0) process.stdout.write(result.stderr.toString());
  return result.status ?? 1;
}

/** Starts `up` and kills it; how far it came is told by its last line. */
async function killedUp(after: number): Promise<string> {
  const child = spawn(process.execPath, [MAIN, 'up', '--name', NAME], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise((resolve) => child.on('close', resolve));
  await Bun.sleep(after);
  child.kill('SIGKILL');
  await Promise.race([ended, Bun.sleep(500)]);
  return said.trim().split('\n').at(-1) ?? '';
}

/** Takes the cluster down and gives what is left of it. */
async function residue(before: Snapshot): Promise<string[]> {
  const known = marks();
  const status = run('down');
  // A folder of another program of the machine that came meanwhile is not of this cluster; a short-lived one is gone soon.
  await Bun.sleep(200);
  const left = [...snapshot()].filter((entry) => !before.has(entry));
  const lost = [...before].filter((entry) => !snapshot().has(entry)).map((entry) => `lost ${entry}`);
  const running = processes()
    .filter((pid) => belongs(pid, known))
    .map((pid) => `process ${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`);
  return [...(status === 0 ? [] : [`down ended with ${status}`]), ...left, ...lost, ...running];
}

const moments = process.argv.length > 2 ? process.argv.slice(2).map(Number) : DEFAULT_MOMENTS;
let failures = 0;
function report(round: string, left: readonly string[], note: string): void {
  if (left.length > 0) failures += 1;
  process.stdout.write(`${left.length === 0 ? 'clean' : 'LEFT '}  ${round.padEnd(28)} ${note}\n`);
  for (const entry of left) process.stdout.write(`         ${entry}\n`);
}

const before = snapshot();
for (const moment of moments) {
  const note = await killedUp(moment);
  report(`up killed after ${moment} ms`, await residue(before), note);
}
if (run('up') !== 0) failures += 1;
const status = spawnSync(process.execPath, [MAIN, 'status', '--output', 'json', '--name', NAME], { encoding: 'utf8' });
const { controlPlane, nodes } = JSON.parse(status.stdout) as {
  controlPlane: { components: Record<string, number> };
  nodes: { pid: number }[];
};
for (const pid of [...Object.values(controlPlane.components), nodes[0]?.pid ?? 0])
  if (pid > 1) process.kill(pid, 'SIGKILL');
report('components and a node killed', await residue(before), '');
process.exitCode = failures === 0 ? 0 : 1;
