/**
 * Takes a lab away, whole or half-made. It needs no state but the lab's name (for namespaces and files) and its id (for
 * processes), which is written before the first process starts.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type LabOptions } from './lab-context.ts';
import { LabError } from './lab-error.ts';
import { lockLab } from './lab-lock.ts';
import { labPaths, type LabPaths } from './lab-paths.ts';
import { readLabId } from './lab-state.ts';
import { findOccupants, listNamespaces, type Occupant, removeDeadProbes, removeNamespace } from './namespaces.ts';
import { findProcesses, killProcesses } from './processes.ts';

export interface DownReport {
  readonly processes: number;
  readonly namespaces: number;
  /** Processes that are not the lab's but live in its namespaces, which therefore live on without a name. */
  readonly occupants: readonly Occupant[];
}

/** Removes the lab. Throws LabError `not-found` when there is nothing of that name. */
export async function bringDown(name: string, options: Omit<LabOptions, 'binary'>): Promise<DownReport> {
  const paths = labPaths(options.stateRoot, name);
  // Those of an "up" that was killed before it had made anything else, too.
  removeDeadProbes();
  if (!existsSync(paths.root) && listNamespaces(name).length === 0) {
    removeEmptyStateRoot(paths);
    throw new LabError('not-found', `there is no lab ${JSON.stringify(name)} on this machine`, {
      hint: '"canalctl lab list" shows those there are',
    });
  }
  using _lock = await lockLab(paths, {
    signal: options.signal,
    onWait: () => options.onProgress?.('waiting for another command on this lab'),
  });
  const report = await clearLab(name, paths, options.onProgress);
  removeLabDirectory(paths);
  return report;
}

/** Removes everything of the lab but its directory with the lock, which the caller holds. */
export async function clearLab(
  name: string,
  paths: LabPaths,
  onProgress?: (text: string) => void,
): Promise<DownReport> {
  const id = readLabId(paths);
  const processes = id === undefined ? [] : findProcesses(id);
  onProgress?.(`ending ${processes.length} processes`);
  await killProcesses(processes);
  const namespaces = listNamespaces(name);
  const occupants = findOccupants(namespaces);
  onProgress?.(`removing ${namespaces.length} namespaces`);
  for (const namespace of namespaces) removeNamespace(namespace);
  // Once more: a child that a killed "up" had forked but that was not yet its own program had no mark to find.
  const late = id === undefined ? [] : findProcesses(id);
  await killProcesses(late);
  removeFiles(paths);
  return { processes: processes.length + late.length, namespaces: namespaces.length, occupants };
}

/** The state goes last: while it is there a "down" that is killed can be repeated in full. */
function removeFiles(paths: LabPaths): void {
  const keep = [basename(paths.lock), basename(paths.state)];
  for (const entry of readdirSync(paths.root)) {
    if (!keep.includes(entry)) rmSync(join(paths.root, entry), { recursive: true, force: true });
  }
  rmSync(paths.state, { force: true });
}

/** The lab's directory with the lock that the caller holds; the directory of all labs goes with the last one. */
export function removeLabDirectory(paths: LabPaths): void {
  rmSync(paths.root, { recursive: true, force: true });
  removeEmptyStateRoot(paths);
}

/** Also where there is no lab: an "up" that was killed may have made this directory and nothing else. */
function removeEmptyStateRoot(paths: LabPaths): void {
  try {
    rmdirSync(dirname(paths.root));
  } catch {
    // Other labs are in it, or one is being made.
  }
}
