/** The lab as a library: what canalctl and the end-to-end tests hold in their hands. */
import { type KubeConnection } from '@canal/store-kube';
import { type Store } from '@canal/store-port';
import { serveApi } from './api-server.ts';
import { type LabContext, type LabOptions, openContext, runtimeOf, findNode } from './lab-context.ts';
import { execIn, type ExecTarget, namespaceOf } from './exec.ts';
import { bringDown, type DownReport } from './lab-down.ts';
import { lockLab } from './lab-lock.ts';
import { DEFAULT_STATE_ROOT, labPaths, type NodePaths, nodePaths } from './lab-paths.ts';
import { type LabSpec } from './lab-spec.ts';
import { listLabNames, readLabState, type LabState } from './lab-state.ts';
import { type LabStatus, readStatus } from './lab-status.ts';
import { bringUp } from './lab-up.ts';
import { addNode, type NodeWish, removeNode } from './nodes.ts';
import { addPod, findPod, listPods, type PodWish, removePod } from './pods.ts';
import { type PodRecord } from './sandboxes.ts';
import { type LabTopology, type NodePlan, planTopology } from './topology.ts';
import { type CniRuntime } from './cni-runtime.ts';
import { LabError } from './lab-error.ts';
import { eachLimited } from './wait.ts';

export interface Lab {
  readonly spec: LabSpec;
  /** False when it was up already when asked for. */
  readonly created: boolean;
  readonly topology: LabTopology;
  /** The embedded API server's objects. */
  readonly store: Store;
  /** How `store` reaches the API server. */
  readonly connection: KubeConnection;
  /** For kubectl on this machine. */
  readonly kubeconfig: string;
  nodes(): readonly NodePlan[];
  pods(): readonly PodRecord[];
  /** Files of a node, its logs and its CNI directories among them. */
  pathsOf(node: string): NodePaths;
  /** The container runtime of a node, for tests that drive the plugin themselves. */
  runtimeOf(node: string): CniRuntime;
  status(): Promise<LabStatus>;
  addNode(wish?: NodeWish): Promise<NodePlan>;
  removeNode(name: string): Promise<void>;
  addPod(wish: PodWish): Promise<PodRecord>;
  /** Many at a time. */
  addPods(wishes: readonly PodWish[], parallel?: number): Promise<readonly PodRecord[]>;
  removePod(pod: { readonly namespace: string; readonly name: string }): Promise<void>;
  /** Runs a command of this machine in the network of a node or a pod, on this terminal; gives its exit code. */
  exec(target: ExecTarget, command: readonly string[]): Promise<number>;
  /** Name of the namespace of a node or a pod, for `inNamespace`. */
  namespaceOf(target: ExecTarget): string;
  down(): Promise<DownReport>;
}

const DEFAULT_PARALLEL = 8;

/** What a caller gives; files are under /run/canal-lab unless it says otherwise. */
export type LabCallOptions = Omit<LabOptions, 'stateRoot'> & { readonly stateRoot?: string };

/** Brings the lab up, or opens it when it is up and the same. Throws LabError. */
export async function createLab(wanted: Partial<LabSpec>, options: LabCallOptions): Promise<Lab> {
  const { context, created } = await bringUp(wanted, withRoot(options));
  return new OpenLab(context, created);
}

/** A lab that is there, whole or not. Throws LabError `not-found`. */
export function openLab(name: string, options: LabCallOptions): Lab {
  return new OpenLab(openContext(name, withRoot(options)), false);
}

/** Removes a lab in whatever condition it is. Throws LabError `not-found`. */
export async function removeLab(name: string, options: Omit<LabCallOptions, 'binary'> = {}): Promise<DownReport> {
  return await bringDown(name, { ...options, stateRoot: options.stateRoot ?? DEFAULT_STATE_ROOT });
}

export interface LabListing {
  readonly name: string;
  /** `broken`: half made by a command that was killed, or of before a reboot. */
  readonly phase: LabState['phase'] | 'broken';
  readonly spec: LabSpec | undefined;
}

export function listLabs(stateRoot: string = DEFAULT_STATE_ROOT): readonly LabListing[] {
  return listLabNames(stateRoot).map((name) => {
    const state = readLabState(labPaths(stateRoot, name));
    return { name, phase: state?.phase ?? 'broken', spec: state?.spec };
  });
}

/** The API server of a lab, in the process that `up` starts for it. Ends when the signal aborts. */
export async function serveLabApi(name: string, options: { stateRoot: string; signal: AbortSignal }): Promise<void> {
  const paths = labPaths(options.stateRoot, name);
  const state = readLabState(paths);
  if (state === undefined) throw new LabError('not-found', `there is no lab ${JSON.stringify(name)} on this machine`);
  await serveApi({ paths, topology: planTopology(state.spec), signal: options.signal });
}

function withRoot(options: LabCallOptions): LabOptions {
  return { ...options, stateRoot: options.stateRoot ?? DEFAULT_STATE_ROOT };
}

class OpenLab implements Lab {
  readonly created: boolean;
  #context: LabContext;

  constructor(context: LabContext, created: boolean) {
    this.#context = context;
    this.created = created;
  }

  get spec(): LabSpec {
    return this.#context.state.spec;
  }

  get topology(): LabTopology {
    return this.#context.topology;
  }

  get store(): Store {
    return this.#context.store;
  }

  get connection(): KubeConnection {
    return this.#context.connection;
  }

  get kubeconfig(): string {
    return this.#context.paths.kubeconfig;
  }

  nodes(): readonly NodePlan[] {
    return this.#context.state.nodes;
  }

  pods(): readonly PodRecord[] {
    return listPods(this.#context);
  }

  pathsOf(node: string): NodePaths {
    return nodePaths(this.#context.paths, findNode(this.#context, node).name);
  }

  runtimeOf(node: string): CniRuntime {
    return runtimeOf(this.#context, findNode(this.#context, node));
  }

  async status(): Promise<LabStatus> {
    return await readStatus(this.#context);
  }

  async addNode(wish: NodeWish = {}): Promise<NodePlan> {
    return await this.#changing(async (context) => {
      const { node, state } = await addNode(context, wish);
      this.#context = { ...context, state };
      return node;
    });
  }

  async removeNode(name: string): Promise<void> {
    await this.#changing(async (context) => {
      this.#context = { ...context, state: await removeNode(context, name) };
    });
  }

  async addPod(wish: PodWish): Promise<PodRecord> {
    return await this.#changing((context) => addPod(context, wish));
  }

  async addPods(wishes: readonly PodWish[], parallel = DEFAULT_PARALLEL): Promise<readonly PodRecord[]> {
    return await this.#changing((context) => eachLimited(wishes, parallel, (wish) => addPod(context, wish)));
  }

  async removePod(pod: { readonly namespace: string; readonly name: string }): Promise<void> {
    await this.#changing((context) => removePod(context, findPod(context, pod)));
  }

  async exec(target: ExecTarget, command: readonly string[]): Promise<number> {
    return await execIn(this.#context, target, command);
  }

  namespaceOf(target: ExecTarget): string {
    return namespaceOf(this.#context, target);
  }

  async down(): Promise<DownReport> {
    return await bringDown(this.spec.name, this.#context.options);
  }

  /** Under the lab's lock, with the state as other commands have left it. */
  async #changing<T>(work: (context: LabContext) => Promise<T>): Promise<T> {
    const { options, paths } = this.#context;
    using _lock = await lockLab(paths, {
      signal: options.signal,
      onWait: () => options.onProgress?.('waiting for another command on this lab'),
    });
    this.#context = openContext(this.spec.name, options);
    return await work(this.#context);
  }
}
