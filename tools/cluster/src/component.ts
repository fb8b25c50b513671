/** Long-running programs of a cluster: started, ended and found again by a record of their process in a file. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { folders } from './plan.ts';
import type { DaemonOptions, ProcessId } from './process.ts';
import { childrenOf, endProcesses, isAlive, programOf, startDaemon } from './process.ts';
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

/**
 * Runs a program again and again, as a service manager does: a kubelet ends itself when containerd is away as it starts.
 * The first argument is a file that each end is noted in, the rest the program. `$0` is the component's name.
 */
const SUPERVISE =
  'ends=$1; shift; while :; do "$@" && s=0 || s=$?; echo "cluster: $0 ended with $s, starting again" | tee -a "$ends"; sleep 1; done';

/** What was started for a component: its supervisor, or the program itself when it has none. */
interface Started extends ProcessId {
  readonly supervised: boolean;
}

function startedProcess(id: ComponentId): Started | undefined {
  const file = recordFile(id);
  if (!existsSync(file)) return undefined;
  const record = JSON.parse(readFileSync(file, 'utf8')) as Started;
  return isAlive(record) ? record : undefined;
}

/** Its process, if it runs. */
export function componentProcess(id: ComponentId): ProcessId | undefined {
  const found = startedProcess(id);
  if (found?.supervised !== true) return found;
  return childrenOf(found.pid).find((child) => programOf(child.pid) !== 'sleep');
}

/** True once it has ended by itself since it was last started. */
export function hasEnded(id: ComponentId): boolean {
  return existsSync(endsFile(id));
}

export interface ComponentOptions extends Omit<DaemonOptions, 'log'> {
  /** Started again whenever it ends. */
  readonly supervised: boolean;
}

/** Starts it unless it runs; its log is appended to. */
export function startComponent(id: ComponentId, options: ComponentOptions): void {
  const running = startedProcess(id);
  if (running !== undefined) {
    // A stop that was cut off has left its supervisor stopped.
    process.kill(running.pid, 'SIGCONT');
    return;
  }
  rmSync(endsFile(id), { force: true });
  mkdirSync(dirname(endsFile(id)), { recursive: true });
  const { supervised } = options;
  const supervise = supervised ? ['/bin/sh', '-c', SUPERVISE, id.component, endsFile(id)] : [];
  const started = startDaemon({ ...options, argv: [...supervise, ...options.argv], log: logFile(id) });
  writeWhole(recordFile(id), JSON.stringify({ ...started, supervised } satisfies Started));
}

/** Ends it, with SIGKILL after `grace` milliseconds; back when it is gone. */
export async function stopComponent(id: ComponentId, grace: number): Promise<void> {
  const started = startedProcess(id);
  if (started?.supervised === true) {
    // Stopped first, so that it starts nothing more; ended last, for it is what the program is found by.
    process.kill(started.pid, 'SIGSTOP');
    await endProcesses(childrenOf(started.pid), grace);
  }
  if (started !== undefined) await endProcesses([started], started.supervised ? 0 : grace);
  rmSync(recordFile(id), { force: true });
}

function recordFile({ cluster, member, component }: ComponentId): string {
  return join(folders(cluster).run, member, `${component}.json`);
}

function endsFile({ cluster, member, component }: ComponentId): string {
  return join(folders(cluster).run, member, `${component}.ends`);
}
