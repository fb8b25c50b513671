import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { cgroupExists, cgroupProcesses, createCgroup, joinFiles } from './cgroup.ts';
import { killCgroup, killNetwork } from './ending.ts';
import { attempt, endProcesses, execute, identify, isAlive, startDaemon } from './process.ts';
import type { ProcessId } from './process.ts';
import { until } from './waiting.ts';

const GROUP = `canal-cluster-ktest-${process.pid}`;
let folder: string;
let started: ProcessId[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'canal-ending-'));
  started = [];
});
afterEach(async () => {
  await killCgroup(GROUP);
  await endProcesses(started, 0);
  await attempt('umount', [join(folder, 'netns')]);
  rmSync(folder, { recursive: true });
});

function sleeper(prefix: readonly string[], cgroups: readonly string[] = []): ProcessId {
  const argv = [...prefix, 'sleep', '600'];
  const { pid } = startDaemon({ argv, env: { PATH: process.env['PATH'] ?? '' }, log: join(folder, 'log'), cgroups });
  const [id] = identify([pid]);
  if (id === undefined) throw new Error('sleep did not start');
  started.push(id);
  return id;
}

test('a cgroup goes with its processes, frozen ones too', async () => {
  createCgroup(`${GROUP}/inner`);
  const id = sleeper([], joinFiles(`${GROUP}/inner`));
  await until('it is in the group', 'none', 10_000, () => cgroupProcesses(GROUP).includes(id.pid));
  // Of version 1; frozen processes of version 2 can be ended.
  const freezer = joinFiles(`${GROUP}/inner`).find((file) => file.includes('/freezer/'));
  if (freezer !== undefined) {
    writeFileSync(freezer.replace('cgroup.procs', 'freezer.state'), 'FROZEN');
    await expect(endProcesses([id], 0, 300)).rejects.toThrow('after SIGKILL');
  }
  await killCgroup(GROUP);
  expect(isAlive(id)).toBe(false);
  expect(cgroupExists(GROUP)).toBe(false);
});

test('the processes of a network namespace end; a file that keeps none, or the own one, ends nothing', async () => {
  const path = join(folder, 'netns');
  writeFileSync(path, '');
  await execute('unshare', [`--net=${path}`, 'true']);
  const inside = sleeper(['nsenter', `--net=${path}`, '--']);
  const outside = sleeper([]);
  const inode = (file: string): number => statSync(file).ino;
  await until('it is inside', 'none', 10_000, () => inode(`/proc/${inside.pid}/ns/net`) === inode(path));
  await killNetwork(path);
  expect([isAlive(inside), isAlive(outside)]).toEqual([false, true]);
  await execute('umount', [path]);
  await killNetwork(path);
  await execute('mount', ['--bind', '/proc/self/ns/net', path]);
  await killNetwork(path);
  expect(isAlive(outside)).toBe(true);
});
