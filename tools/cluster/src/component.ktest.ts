import { rmSync, rmdirSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';

import type { ComponentId } from './component.ts';
import { componentProcess, hasEnded, startComponent, stopComponent } from './component.ts';
import { STATE_FOLDER, folders } from './plan.ts';
import type { ProcessId } from './process.ts';
import { childrenOf, endProcesses, startTime } from './process.ts';
import { until } from './waiting.ts';

const cluster = `ktest-${process.pid}`;
const id: ComponentId = { cluster, member: 'node', component: 'kubelet' };

afterEach(async () => {
  await stopComponent(id, 0);
  rmSync(folders(cluster).home, { recursive: true, force: true });
  try {
    rmdirSync(STATE_FOLDER);
  } catch {
    // There are clusters.
  }
});

async function start(): Promise<ProcessId> {
  const env = { PATH: process.env['PATH'] ?? '' };
  startComponent(id, { argv: ['tail', '-f', '/dev/null'], env, supervised: true, cgroups: [] });
  await until('the component runs', 'none', 5000, () => componentProcess(id) !== undefined);
  return componentProcess(id) ?? { pid: 0, started: '' };
}

/** The one child of this process that supervises. */
function supervisorOf({ pid }: ProcessId): number {
  const found = childrenOf(process.pid).find((child) => childrenOf(child.pid).some((grand) => grand.pid === pid));
  if (found === undefined) throw new Error(`no child of this process has started ${pid}`);
  return found.pid;
}

test('a component that ends is started again, and its end is noted', async () => {
  const first = await start();
  expect(hasEnded(id)).toBe(false);
  await endProcesses([first], 0);
  await until('the end is noted', 'none', 5000, () => hasEnded(id));
  expect((await start()).pid).not.toBe(first.pid);
});

test('a stop that was cut off does not keep the component from being started', async () => {
  const first = await start();
  process.kill(supervisorOf(first), 'SIGSTOP');
  await endProcesses([first], 0);
  expect(startTime(first.pid)).toBeUndefined();
  expect((await start()).pid).not.toBe(first.pid);
});
