/**
 * Cgroups of a cluster: one tree `/canal-cluster-NAME` in every hierarchy. All processes of the cluster are in it, those
 * that start themselves included (containers, shims), so that its list is the list of what `down` ends.
 * Version 1 has a hierarchy per controller; version 2 has one, whose inner groups hold no processes.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

export interface Hierarchy {
  readonly path: string;
  readonly version: 1 | 2;
}

/** The machine's hierarchies that take processes. */
function hierarchies(): readonly Hierarchy[] {
  return used(parseHierarchies(mounted()));
}

/** A version-2 hierarchy beside version-1 ones (hybrid) controls nothing, but runc makes groups in it. */
export function used(all: readonly Hierarchy[]): readonly Hierarchy[] {
  const first = all.filter(({ version }) => version === 1);
  return first.length > 0 ? first : all;
}

function mounted(): string {
  return readFileSync('/proc/self/mounts', 'utf8');
}

/** All hierarchies in a list of mounts (`/proc/self/mounts`), version 1 first. */
export function parseHierarchies(mounts: string): readonly Hierarchy[] {
  const of = (type: string): string[] =>
    mounts
      .split('\n')
      .map((line) => line.split(' '))
      .filter((fields) => fields[2] === type && (fields[1] === ROOT || fields[1]?.startsWith(`${ROOT}/`) === true))
      .map((fields) => fields[1] ?? '');
  const all = (type: string, version: 1 | 2): Hierarchy[] => [...new Set(of(type))].map((path) => ({ path, version }));
  return [...all('cgroup', 1), ...all('cgroup2', 2)];
}

/** Makes a group in every hierarchy. `name` is a path without leading slash. */
export function createCgroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    let parent = hierarchy.path;
    for (const part of name.split('/')) {
      if (hierarchy.version === 2) enableControllers(parent);
      const path = join(parent, part);
      mkdirSync(path, { recursive: true });
      if (hierarchy.version === 1) copyCpuset(parent, path);
      parent = path;
    }
  }
}

/** Files that a process writes its number into to join the group. */
export function joinFiles(name: string): readonly string[] {
  return hierarchies().map(({ path }) => join(path, name, 'cgroup.procs'));
}

/** Numbers of the processes in a group and all groups below it. */
export function cgroupProcesses(name: string): readonly number[] {
  const found = new Set<number>();
  for (const { path } of parseHierarchies(mounted()))
    for (const folder of tree(join(path, name)))
      for (const pid of read(join(folder, 'cgroup.procs')).split('\n')) if (pid !== '') found.add(Number(pid));
  return [...found];
}

/** Lets the processes of a group and of all below it run again: frozen ones of version 1 do not even end. */
export function thawCgroup(name: string): void {
  for (const { path } of parseHierarchies(mounted()))
    for (const folder of tree(join(path, name))) {
      const file = join(folder, 'freezer.state');
      if (read(file).trim() === 'FROZEN' || read(file).trim() === 'FREEZING') writeFileSync(file, 'THAWED');
    }
}

/** Removes a group and all below it, when no process is left in them; true when nothing is left. */
export function removeCgroup(name: string): boolean {
  let gone = true;
  for (const { path } of parseHierarchies(mounted())) {
    for (const folder of tree(join(path, name)).reverse()) {
      try {
        rmdirSync(folder);
      } catch {
        gone = gone && !existsSync(folder);
      }
    }
  }
  return gone;
}

export function cgroupExists(name: string): boolean {
  return parseHierarchies(mounted()).some(({ path }) => existsSync(join(path, name)));
}

/** A folder and the folders below it, parents first. */
function tree(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const found = [folder];
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) found.push(...tree(join(folder, entry.name)));
  } catch {
    // Removed meanwhile.
  }
  return found;
}

/** A new version-1 cpuset has no CPUs and takes no process. */
function copyCpuset(parent: string, path: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const target = join(path, file);
    if (existsSync(target) && read(target).trim() === '') writeFileSync(target, read(join(parent, file)));
  }
}

function enableControllers(folder: string): void {
  for (const controller of read(join(folder, 'cgroup.controllers')).trim().split(' ')) {
    try {
      if (controller !== '') writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
    } catch {
      // Not every controller can be handed down; kubelet says which one it misses.
    }
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
