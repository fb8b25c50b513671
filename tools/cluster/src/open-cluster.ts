/** A cluster that is up, and what can be done with it: the command line's and the end-to-end suite's one interface. */
import { rmSync } from 'node:fs';

import { apiRequest } from './api-client.ts';
import type { Programs, Progress } from './build.ts';
import { buildPrograms } from './build.ts';
import { bringUp, prepareAndBoot, startServices, takeDown, waitRegistered } from './cluster.ts';
import type { ControlPlaneComponent, NodeComponent } from './component.ts';
import { CONTROL_PLANE, logFile } from './component.ts';
import { startControlPlaneComponent, stopControlPlaneComponent } from './control-plane.ts';
import { ClusterError } from './failure.ts';
import { nodeImages } from './images.ts';
import { MACHINE, exclusively } from './lock.ts';
import { raiseLimits } from './machine-settings.ts';
import { inNetns, netnsPath } from './network.ts';
import {
  bootNode,
  enterNode,
  haltNode,
  importImages,
  nodeHome,
  startNodeComponent,
  stopNodeComponent,
} from './node.ts';
import type { Shape } from './plan.ts';
import { DEFAULT_SHAPE, MAX_NODES, folders, nodeName, parseName } from './plan.ts';
import type { ExecuteOptions, Finished } from './process.ts';
import { attempt, cleanEnvironment } from './process.ts';
import type { ClusterStatus } from './status.ts';
import { clusterStatus } from './status.ts';
import type { ClusterState, NodeState } from './state.ts';
import { readState, writeState } from './state.ts';

export interface CreateOptions extends Partial<Shape> {
  readonly name: string;
  readonly progress?: Progress;
}

/** Brings a cluster up; gives the one of that name and shape that is up already. */
export async function createCluster({ name, progress = () => undefined, ...shape }: CreateOptions): Promise<Cluster> {
  const state = await bringUp({ name: parseName(name), shape: { ...DEFAULT_SHAPE, ...shape }, progress });
  return openCluster(state.name, progress);
}

/** The cluster of that name. Throws `absent` when none is up. */
export async function openCluster(name: string, progress: Progress = () => undefined): Promise<Cluster> {
  const state = readState(name);
  if (state === undefined)
    throw new ClusterError('absent', `no cluster ${name}: bring it up with "npm run cluster -- up --name ${name}"`);
  return new Cluster(name, await buildPrograms({ kubernetes: state.shape.kubernetes, progress }), progress);
}

export class Cluster {
  readonly name: string;
  readonly programs: Programs;
  private readonly progress: Progress;

  constructor(name: string, programs: Programs, progress: Progress) {
    this.name = name;
    this.programs = programs;
    this.progress = progress;
  }

  /** Read anew each time: another process may have added a node. */
  get state(): ClusterState {
    const state = readState(this.name);
    if (state === undefined) throw new ClusterError('absent', `cluster ${this.name} has been taken down`);
    return state;
  }

  get kubeconfig(): string {
    return folders(this.name).kubeconfig;
  }

  /** Names of the nodes. */
  get nodes(): readonly string[] {
    return this.state.nodes.map((node) => node.name);
  }

  status(): Promise<ClusterStatus> {
    return clusterStatus(this.state, this.programs);
  }

  kubectl(args: readonly string[], options: ExecuteOptions = {}): Promise<Finished> {
    const [command = '', ...rest] = this.kubectlCommand(args);
    return attempt(command, rest, { env: this.environment(), ...options });
  }

  kubectlCommand(args: readonly string[]): readonly string[] {
    return [this.programs.path.kubectl, '--kubeconfig', this.kubeconfig, ...args];
  }

  /** Runs a command as root in a node's network, mount and UTS namespace; `control-plane` is a member as well. */
  node(node: string, command: readonly string[], options: ExecuteOptions = {}): Promise<Finished> {
    return this.run(this.nodeCommand(node, command), options);
  }

  nodeCommand(node: string, command: readonly string[]): readonly string[] {
    if (node === CONTROL_PLANE) return [...inNetns(netnsPath(this.name, CONTROL_PLANE)), ...command];
    return [...enterNode(this.name, this.find(node).name), ...command];
  }

  /** Runs a command in the client namespace on the underlay, which is no node. */
  outside(command: readonly string[], options: ExecuteOptions = {}): Promise<Finished> {
    return this.run(this.outsideCommand(command), options);
  }

  outsideCommand(command: readonly string[]): readonly string[] {
    return [...inNetns(netnsPath(this.name, 'outside')), ...command];
  }

  /** Environment of such commands: the cluster's programs first in the PATH, and the cluster's mark. */
  environment(): Record<string, string> {
    const environment = cleanEnvironment(this.state.id, this.programs.folders);
    return { ...environment, KUBECONFIG: this.kubeconfig, KUBECACHEDIR: folders(this.name).kubectlCache };
  }

  /** Imports a docker-archive on one node, or on all. */
  async loadImage(archive: string, node?: string): Promise<void> {
    const names = node === undefined ? this.nodes : [this.find(node).name];
    await Promise.all(names.map((name) => importImages(this.name, name, archive, this.programs)));
  }

  /** Adds a node with the next number; back when it is registered. Gives its name. */
  async addNode(): Promise<string> {
    await exclusively(MACHINE, raiseLimits);
    const { state } = this;
    const index = Math.max(0, ...state.nodes.map((node) => node.index)) + 1;
    if (index > MAX_NODES) throw new ClusterError('failed', `a cluster has at most ${MAX_NODES} nodes`);
    const node: NodeState = { index, name: nodeName(this.name, index) };
    const grown: ClusterState = { ...state, nodes: [...state.nodes, node] };
    writeState(grown);
    await prepareAndBoot(grown, node, this.programs);
    await importImages(this.name, node.name, nodeImages(this.programs), this.programs);
    await startServices(grown, node, this.programs);
    await waitRegistered(grown, [node.name]);
    return node.name;
  }

  /** The host is gone for good, then its Node object is deleted. */
  async removeNode(node: string): Promise<void> {
    const { state } = this;
    const found = this.find(node);
    await haltNode(state, found);
    const { status, text } = await apiRequest(state, `/api/v1/nodes/${found.name}`, { method: 'DELETE' });
    if (status !== 200 && status !== 404)
      throw new ClusterError(
        'failed',
        `the Node object ${found.name} is still there: API server answered ${status} ${text}`,
      );
    rmSync(nodeHome(this.name, found.name), { recursive: true, force: true });
    // Read anew: another process may have added a node meanwhile.
    writeState({ ...this.state, nodes: this.state.nodes.filter((other) => other.name !== found.name) });
  }

  /** Power cut: all processes and links gone, files of `root/` but `run` kept, a new boot id. The node stays off. */
  async halt(node: string): Promise<void> {
    await haltNode(this.state, this.find(node));
  }

  /** Power cut, then a boot with the same addresses and a new boot id; works on a halted node too. */
  async reboot(node: string): Promise<void> {
    const { state } = this;
    const found = this.find(node);
    await haltNode(state, found);
    await bootNode(state, found, this.programs);
    await startServices(state, found, this.programs);
  }

  async stop(node: string, component: NodeComponent): Promise<void> {
    await stopNodeComponent(this.state, this.find(node), component);
  }

  async start(node: string, component: NodeComponent): Promise<void> {
    await startNodeComponent(this.state, this.find(node), component, this.programs);
  }

  async restart(node: string, component: NodeComponent): Promise<void> {
    await this.stop(node, component);
    await this.start(node, component);
  }

  async stopControlPlane(component: ControlPlaneComponent): Promise<void> {
    await stopControlPlaneComponent(this.state, component);
  }

  async startControlPlane(component: ControlPlaneComponent): Promise<void> {
    await startControlPlaneComponent(this.state, this.programs, component);
  }

  /** The log of a component of a node or of `control-plane`. */
  log(member: string, component: string): string {
    const name = member === CONTROL_PLANE ? member : this.find(member).name;
    return logFile({ cluster: this.name, member: name, component });
  }

  async down(): Promise<void> {
    await takeDown(this.name, this.progress);
  }

  /** A node by its name or its number. Throws `absent`. */
  private find(node: string): NodeState {
    const { nodes } = this.state;
    const found = nodes.find(({ name, index }) => name === node || String(index) === node);
    if (found !== undefined) return found;
    const known = nodes.map(({ name }) => name).join(', ');
    throw new ClusterError(
      'absent',
      `cluster ${this.name} has no node ${JSON.stringify(node)}; its nodes are ${known}`,
    );
  }

  private run(argv: readonly string[], options: ExecuteOptions): Promise<Finished> {
    const [command = '', ...rest] = argv;
    return attempt(command, rest, { env: this.environment(), ...options });
  }
}
