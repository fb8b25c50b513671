import { createKubeStore, fixedCredentials, type KubeConnection, Secret } from '@canal/store-kube';
import { type Store } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
import { type AgentDeps } from './agent.ts';
import { type ApiSecrets, readApiSecrets } from './api-server.ts';
import { type CniRuntime, createCniRuntime } from './cni-runtime.ts';
import { LabError } from './lab-error.ts';
import { labPaths, type LabPaths, nodePaths } from './lab-paths.ts';
import { type LabState, readLabState } from './lab-state.ts';
import { checkOwnDirectory } from './own-directory.ts';
import { type LabTopology, type NodePlan, planTopology } from './topology.ts';

export interface LabOptions {
  /** The canal binary: agents, plugin and API server are all started from it. Absolute. */
  readonly binary: string;
  readonly stateRoot: string;
  /** Told what is being done, in words for people. */
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What the parts of the lab share while one command works on it. */
export interface LabContext {
  readonly options: LabOptions;
  readonly paths: LabPaths;
  readonly topology: LabTopology;
  readonly secrets: ApiSecrets;
  readonly connection: KubeConnection;
  readonly store: Store;
  /** As last read or written by this command. */
  readonly state: LabState;
}

export function createContext(options: LabOptions, paths: LabPaths, state: LabState, secrets: ApiSecrets): LabContext {
  const connection: KubeConnection = {
    baseUrl: 'http://localhost',
    unixSocket: paths.api.socket,
    credentials: fixedCredentials({ token: new Secret(secrets.adminToken) }),
  };
  const store = createKubeStore({ connection, clock: createSystemClock() });
  return { options, paths, topology: planTopology(state.spec), secrets, connection, store, state };
}

/** The lab of that name as its files describe it. Throws LabError `not-found`, and `exists` when they are somebody else's. */
export function openContext(name: string, options: LabOptions): LabContext {
  const paths = labPaths(options.stateRoot, name);
  checkOwnDirectory(paths);
  const state = readLabState(paths);
  const secrets = readApiSecrets(paths);
  if (state === undefined || secrets === undefined) {
    throw new LabError('not-found', `there is no lab ${JSON.stringify(name)} on this machine`, {
      hint: 'make it with "canalctl lab up", or see "canalctl lab list"',
    });
  }
  return createContext(options, paths, state, secrets);
}

export function agentDeps(context: LabContext): AgentDeps {
  const { options, topology, secrets, state } = context;
  return { labId: state.id, binary: options.binary, spec: state.spec, topology, secrets };
}

export function runtimeOf(context: LabContext, node: NodePlan): CniRuntime {
  return createCniRuntime({
    labId: context.state.id,
    nodeNamespace: node.namespace,
    paths: nodePaths(context.paths, node.name),
  });
}

/** Throws LabError `not-found` with the names there are. */
export function findNode(context: LabContext, name: string): NodePlan {
  const node = context.state.nodes.find((one) => one.name === name);
  if (node !== undefined) return node;
  const names = context.state.nodes.map((one) => one.name).join(', ');
  throw new LabError('not-found', `there is no node ${JSON.stringify(name)}`, { hint: `there are: ${names}` });
}
