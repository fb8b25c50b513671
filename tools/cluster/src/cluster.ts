/** Clusters of this machine: brought up, opened, taken down. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

import { listNodes } from './api-client.ts';
import { addons } from './addons.ts';
import type { Programs, Progress } from './build.ts';
import { buildPrograms } from './build.ts';
import { cgroupExists } from './cgroup.ts';
import { logFile } from './component.ts';
import { prepareControlPlane, startControlPlane } from './control-plane.ts';
import { ClusterError } from './failure.ts';
import { isRouted } from './free-underlay.ts';
import { checkHost } from './host-tools.ts';
import { nodeImages } from './images.ts';
import { MACHINE, exclusively } from './lock.ts';
import { createUnderlay, netnsPath, removeHostLink, removeNetns } from './network.ts';
import { killCgroup, killNetwork } from './ending.ts';
import { bootNode, importImages, prepareNode, startNodeComponent } from './node.ts';
import { until } from './waiting.ts';
import type { Shape } from './plan.ts';
import { STATE_FOLDER, cgroupName, clusterCidrs, folders, hostLink, nodeName } from './plan.ts';
import {
  attempt,
  cleanEnvironment,
  endProcesses,
  execute,
  hasMark,
  identify,
  isAlive,
  processesWhere,
} from './process.ts';
import type { ProcessId } from './process.ts';
import type { ClusterState, NodeState } from './state.ts';
import { claimUnderlay, claimedUnderlays, readState, releaseUnderlays, writeState } from './state.ts';
import { raiseLimits, restoreLimits } from './machine-settings.ts';
import { addMountPoints, removeMountPoints } from './mount-points.ts';
import { mountsBelow } from './mounts.ts';

export interface UpOptions {
  readonly name: string;
  readonly shape: Shape;
  readonly progress: Progress;
}

/** Brings a cluster up; one of the same shape that is up already is left as it is. Gives its state. */
export async function bringUp({ name, shape, progress }: UpOptions): Promise<ClusterState> {
  const existing = await exclusively(name, async () => {
    const state = readState(name);
    if (state?.phase === 'up') return sameCluster(state, shape, progress);
    if (state?.starter !== undefined && isAlive(state.starter))
      throw new ClusterError('conflict', `process ${state.starter.pid} is bringing cluster ${name} up: wait for it`);
    checkHost();
    if (existsSync(folders(name).home)) {
      progress(`cluster ${name} was cut off while it came up`);
      await remove(name, progress);
    }
    return undefined;
  });
  if (existing !== undefined) return existing;
  const programs = await buildPrograms({ kubernetes: shape.kubernetes, progress });
  const start = Date.now();
  const since = (): string => `${((Date.now() - start) / 1000).toFixed(1)} s`;
  const starting = await exclusively(name, () => exclusively(MACHINE, () => beginState(name, shape, programs)));
  const { underlay, nodes } = starting;
  progress(`starting the control plane (Kubernetes ${programs.kubernetesVersion}, underlay 172.30.${underlay}.0/24)`);
  await Promise.all([prepareControlPlane(starting), createUnderlay(starting)]);
  const images = nodeImages(programs);
  const booted = Promise.all(nodes.map((node) => prepareAndBoot(starting, node, programs)));
  const imported = booted.then(() => importEverywhere(starting, programs, images));
  // Looked at below; until then its failure must not count as one that nobody handles.
  imported.catch(() => undefined);
  await startControlPlane(starting, programs);
  progress(`API server ready after ${since()}`);
  await booted;
  // Not before there is an API server: a kubelet that finds none waits ever longer before it asks again.
  await Promise.all([applyAddons(starting, programs), ...nodes.map((node) => startServices(starting, node, programs))]);
  await waitRegistered(
    starting,
    nodes.map((node) => node.name),
  );
  progress(`${nodes.length} nodes registered after ${since()}`);
  await imported;
  progress(`images on all nodes after ${since()}`);
  const { starter: _, ...rest } = starting;
  const state: ClusterState = { ...rest, phase: 'up' };
  writeState(state);
  return state;
}

function sameCluster(existing: ClusterState, shape: Shape, progress: Progress): ClusterState {
  const { name } = existing;
  if (!isDeepStrictEqual(existing.shape, shape))
    throw new ClusterError(
      'conflict',
      `cluster ${name} is up with ${JSON.stringify(existing.shape)}, asked for ${JSON.stringify(shape)}: ` +
        `run "npm run cluster -- down --name ${name}" first, or choose another --name`,
    );
  if (!linkExists(existing.underlay))
    throw new ClusterError(
      'conflict',
      `cluster ${name} ended with a restart of this machine: run "npm run cluster -- down --name ${name}", then up again`,
    );
  progress(`cluster ${name} is up already`);
  return existing;
}

/** The cluster's first trace: from here on `down` has something to take away. */
function beginState(name: string, shape: Shape, programs: Programs): ClusterState {
  const routes = readFileSync('/proc/net/route', 'utf8');
  const underlay = claimUnderlay(name, (number) => linkExists(number) || isRouted(number, routes));
  const [starter] = identify([process.pid]);
  const starting: ClusterState = {
    name,
    id: crypto.randomUUID(),
    shape,
    kubernetesVersion: programs.kubernetesVersion,
    underlay,
    nodes: Array.from({ length: shape.nodes }, (_, i) => ({ index: i + 1, name: nodeName(name, i + 1) })),
    phase: 'starting',
    ...(starter === undefined ? {} : { starter }),
  };
  try {
    mkdirSync(folders(name).home);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new ClusterError('conflict', `another process has begun to bring cluster ${name} up: wait for it`, { cause });
  }
  writeState(starting);
  addMountPoints();
  raiseLimits();
  return starting;
}

/** The link is the one thing of a cluster that is in the machine's own namespace. */
function linkExists(underlay: number): boolean {
  return existsSync(`/sys/class/net/${hostLink(underlay)}`);
}

async function importEverywhere(state: ClusterState, programs: Programs, images: string): Promise<void> {
  await Promise.all(state.nodes.map((node) => importImages(state.name, node.name, images, programs)));
}

/** A new node as far as containerd. */
export async function prepareAndBoot(state: ClusterState, node: NodeState, programs: Programs): Promise<void> {
  await prepareNode(state, node, programs);
  await bootNode(state, node, programs);
}

/** What of Kubernetes runs on a node that has booted. */
export async function startServices(state: ClusterState, node: NodeState, programs: Programs): Promise<void> {
  await startNodeComponent(state, node, 'kubelet', programs);
  await startNodeComponent(state, node, 'kube-proxy', programs);
}

/** Waits until all of these nodes are registered and have pod CIDRs. */
export async function waitRegistered(state: ClusterState, names: readonly string[]): Promise<void> {
  const log = names.map((name) => logFile({ cluster: state.name, member: name, component: 'kubelet' })).join(', ');
  await until(`nodes ${names.join(', ')} are registered`, log, 120_000, async () => {
    const registered = (await listNodes(state)) ?? [];
    return names.every((name) => registered.some((node) => node.name === name && node.podCidrs.length > 0));
  });
}

async function applyAddons(state: ClusterState, programs: Programs): Promise<void> {
  const { kubeconfig, kubectlCache } = folders(state.name);
  const text = addons(clusterCidrs(state.shape.ipFamily), state.shape.ipFamily);
  await execute(programs.path.kubectl, ['--kubeconfig', kubeconfig, 'apply', '--server-side', '-f', '-'], {
    input: text,
    env: { ...cleanEnvironment(state.id), KUBECACHEDIR: kubectlCache },
  });
}

/**
 * Takes everything of a cluster away, however far it came: works from the name alone, so that a cluster whose `up` was
 * killed at any moment goes as well. Gives false when there was nothing.
 */
export function takeDown(name: string, progress: Progress): Promise<boolean> {
  return exclusively(name, () => remove(name, progress));
}

async function remove(name: string, progress: Progress): Promise<boolean> {
  const { home, netns } = folders(name);
  const underlays = await exclusively(MACHINE, () => claimedUnderlays(name));
  if (!existsSync(home) && !cgroupExists(cgroupName(name)) && underlays.length === 0) {
    await exclusively(MACHINE, () => tidy(name));
    return false;
  }
  const state = readState(name);
  progress(`taking cluster ${name} down`);
  // First those that would start more.
  if (state?.starter !== undefined) await endProcesses(others([state.starter]), 1000);
  const marked = (): readonly ProcessId[] =>
    state === undefined ? [] : others(identify(processesWhere((pid) => hasMark(pid, state.id))));
  // Again, because one of them may have started another meanwhile.
  for (let found = marked(); found.length > 0; found = marked()) await endProcesses(found, 0);
  const members = existsSync(netns) ? readdirSync(netns) : [];
  await killCgroup(cgroupName(name));
  for (const member of members) await killNetwork(netnsPath(name, member));
  for (const number of underlays) await removeHostLink(number);
  for (const member of members) await removeNetns(netnsPath(name, member));
  await unmountBelow(home);
  rmSync(home, { recursive: true, force: true });
  await exclusively(MACHINE, () => tidy(name));
  return true;
}

/** What outlives the folder of a cluster: its claim, and, with the last cluster, what all share. */
function tidy(name: string): void {
  releaseUnderlays(name);
  removeMountPoints();
  restoreLimits();
  try {
    rmdirSync(STATE_FOLDER);
  } catch {
    // There are other clusters, or there never was one.
  }
}

function others(processes: readonly ProcessId[]): readonly ProcessId[] {
  return processes.filter(({ pid }) => pid !== process.pid);
}

/** Throws `failed` while anything is mounted there, for what it holds would be deleted with the folder. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (): readonly string[] => mountsBelow(folder, readFileSync('/proc/self/mounts', 'utf8'));
  for (const path of mounts()) await attempt('umount', ['-l', path]);
  const left = mounts();
  if (left.length > 0)
    throw new ClusterError('failed', `${left.join(', ')} cannot be unmounted: unmount it, then try again`);
}
