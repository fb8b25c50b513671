/** Long-running programs of a cluster: started, ended and found again by a record of their process in a file. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { folders } from './plan.ts';
import type { DaemonOptions, ProcessId } from './process.ts';
import { endProcesses, isAlive, startDaemon } from './process.ts';
import { writeWhole } from './state.ts';

export const CONTROL_PLANE = 'control-plane';
export const CONTROL_PLANE_COMPONENTS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
] as const;
export const NODE_COMPONENTS = ['containerd', 'kubelet', 'kube-proxy'] as const;
export type NodeComponent = (typeof NODE_COMPONENTS)[number];
export type ControlPlaneComponent = (typeof CONTROL_PLANE_COMPONENTS)[number];

/** A component of a member (`control-plane` or a node's name) of a cluster. */
export interface ComponentId {
  readonly cluster: string;
  readonly member: string;
  readonly component: string;
}

export function logFile({ cluster, member, component }: ComponentId): string {
  return join(folders(cluster).logs, member, `${component}.log`);
}

/** Its process, if it runs. */
export function componentProcess(id: ComponentId): ProcessId | undefined {
  const file = recordFile(id);
  if (!existsSync(file)) return undefined;
  const record = JSON.parse(readFileSync(file, 'utf8')) as ProcessId;
  return isAlive(record) ? record : undefined;
}

/** Starts it unless it runs; its log is appended to. */
export function startComponent(id: ComponentId, options: Omit<DaemonOptions, 'log'>): ProcessId {
  const running = componentProcess(id);
  if (running !== undefined) return running;
  const started = startDaemon({ ...options, log: logFile(id) });
  writeWhole(recordFile(id), JSON.stringify(started));
  return started;
}

/** Ends it, with SIGKILL after `grace` milliseconds; back when it is gone. */
export async function stopComponent(id: ComponentId, grace: number): Promise<void> {
  const running = componentProcess(id);
  if (running !== undefined) await endProcesses([running], grace);
  rmSync(recordFile(id), { force: true });
}

function recordFile({ cluster, member, component }: ComponentId): string {
  return join(folders(cluster).run, member, `${component}.json`);
}
