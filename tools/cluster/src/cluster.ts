/** Clusters of this machine: brought up, opened, taken down. */
import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

import { listNodes } from './api-client.ts';
import { addons } from './addons.ts';
import type { Programs, Progress } from './build.ts';
import { buildPrograms } from './build.ts';
import { cgroupExists } from './cgroup.ts';
import { CONTROL_PLANE } from './component.ts';
import { prepareControlPlane, startControlPlane } from './control-plane.ts';
import { ClusterError } from './failure.ts';
import { nodeImages } from './images.ts';
import { createUnderlay, netnsPath, removeHostLink, removeNetns } from './network.ts';
import { bootNode, importImages, killCgroup, killNetwork, prepareNode, startNodeComponent, until } from './node.ts';
import type { Shape } from './plan.ts';
import { STATE_FOLDER, cgroupName, clusterCidrs, folders, hostLink, nodeName } from './plan.ts';
import { attempt, cleanEnvironment, endProcesses, execute, hasMark, identify, processesWhere } from './process.ts';
import type { ClusterState, NodeState } from './state.ts';
import { claimUnderlay, claimedUnderlays, readState, releaseUnderlay, writeState } from './state.ts';
import { addMountPoints, removeMountPoints } from './mount-points.ts';

export interface UpOptions {
  readonly name: string;
  readonly shape: Shape;
  readonly progress: Progress;
}

/** Brings a cluster up; one of the same shape that is up already is left as it is. Gives its state. */
export async function bringUp({ name, shape, progress }: UpOptions): Promise<ClusterState> {
  const existing = readState(name);
  if (existing?.phase === 'up') {
    const same = JSON.stringify(existing.shape) === JSON.stringify(shape);
    if (!same)
      throw new ClusterError(
        'conflict',
        `cluster ${name} is up with ${JSON.stringify(existing.shape)}, asked for ${JSON.stringify(shape)}: ` +
          `run "npm run cluster -- down --name ${name}" first, or choose another --name`,
      );
    progress(`cluster ${name} is up already`);
    return existing;
  }
  if (existing !== undefined || existsSync(folders(name).home)) {
    progress(`cluster ${name} was cut off while it came up: taking it down first`);
    await takeDown(name, progress);
  }
  const id = crypto.randomUUID();
  const programs = await buildPrograms({ kubernetes: shape.kubernetes, progress });
  const start = Date.now();
  const since = (): string => `${((Date.now() - start) / 1000).toFixed(1)} s`;
  const nodes = Array.from({ length: shape.nodes }, (_, i): NodeState => ({
    index: i + 1,
    name: nodeName(name, i + 1),
  }));
  const underlay = claimUnderlay(name, (number) => existsSync(`/sys/class/net/${hostLink(number)}`));
  const starting: ClusterState = {
    name,
    id,
    shape,
    kubernetesVersion: programs.kubernetesVersion,
    underlay,
    nodes,
    phase: 'starting',
  };
  writeState(starting);
  addMountPoints();
  const images = nodeImages(programs);
  progress(`starting the control plane (Kubernetes ${programs.kubernetesVersion}, underlay 172.30.${underlay}.0/24)`);
  await Promise.all([prepareControlPlane(starting), createUnderlay(name, underlay, shape.ipFamily)]);
  const booted = bootNodes(starting, programs, images);
  // Looked at below; until then its failure must not count as one that nobody handles.
  booted.catch(() => undefined);
  await startControlPlane(starting, programs);
  progress(`API server ready after ${since()}`);
  await booted;
  await applyAddons(starting, programs);
  await waitRegistered(
    starting,
    nodes.map((node) => node.name),
  );
  progress(`${nodes.length} nodes registered after ${since()}`);
  const state: ClusterState = { ...starting, phase: 'up' };
  writeState(state);
  return state;
}

async function bootNodes(state: ClusterState, programs: Programs, images: string): Promise<void> {
  await Promise.all(state.nodes.map((node) => joinNode(state, node, programs, images)));
}

/** Prepares and boots a node, starts its components, imports the images. */
export async function joinNode(
  state: ClusterState,
  node: NodeState,
  programs: Programs,
  images: string,
): Promise<void> {
  await prepareNode(state, node, programs);
  await bootNode(state, node, programs);
  await startNodeComponent(state, node, 'kubelet', programs);
  await startNodeComponent(state, node, 'kube-proxy', programs);
  await importImages(state.name, node.name, images, programs);
}

/** Waits until all of these nodes are registered and have pod CIDRs. */
export async function waitRegistered(state: ClusterState, names: readonly string[]): Promise<void> {
  const log = `${folders(state.name).logs}/NODE/kubelet.log`;
  await until(`nodes ${names.join(', ')} are registered`, log, 90_000, async () => {
    const registered = (await listNodes(state)) ?? [];
    return names.every((name) => registered.some((node) => node.name === name && node.podCidrs.length > 0));
  });
}

async function applyAddons(state: ClusterState, programs: Programs): Promise<void> {
  const { kubeconfig } = folders(state.name);
  const text = addons(clusterCidrs(state.shape.ipFamily), state.shape.ipFamily);
  await execute(programs.path.kubectl, ['--kubeconfig', kubeconfig, 'apply', '--server-side', '-f', '-'], {
    input: text,
    env: cleanEnvironment(state.id),
  });
}

/**
 * Takes everything of a cluster away, however far it came: works from the name alone, so that a cluster whose `up` was
 * killed at any moment goes as well. Gives false when there was nothing.
 */
export async function takeDown(name: string, progress: Progress): Promise<boolean> {
  const { home, netns } = folders(name);
  const underlays = claimedUnderlays(name);
  if (!existsSync(home) && !cgroupExists(cgroupName(name)) && underlays.length === 0) return false;
  const state = readState(name);
  progress(`taking cluster ${name} down`);
  const members = existsSync(netns) ? readdirSync(netns) : [];
  // Marked ones first: `up` itself may still be starting more.
  if (state !== undefined) await endProcesses(identify(processesWhere((pid) => hasMark(pid, state.id))), 0);
  await killCgroup(cgroupName(name));
  for (const member of members) await killNetwork(netnsPath(name, member));
  for (const number of underlays) await removeHostLink(number);
  for (const member of members) await removeNetns(netnsPath(name, member));
  await unmountBelow(home);
  rmSync(home, { recursive: true, force: true });
  for (const number of underlays) releaseUnderlay(number);
  removeMountPoints();
  try {
    rmdirSync(STATE_FOLDER);
  } catch {
    // Other clusters are up.
  }
  return true;
}

async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await Bun.file('/proc/self/mounts').text())
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) await attempt('umount', ['-l', path]);
}

export function controlPlaneNetns(name: string): string {
  return join(folders(name).netns, CONTROL_PLANE);
}
