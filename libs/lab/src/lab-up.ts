/** Brings a lab up. Every step makes what is missing, so that the same function heals a lab whose processes died. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { awaitAdminApi, ensureAdminApi } from './admin-api-process.ts';
import { ensureApi } from './api-process.ts';
import { createApiSecrets, writeApiSecrets } from './api-server.ts';
import { createContext, type LabContext, type LabOptions, openContext } from './lab-context.ts';
import { orFullDisk } from './disk-space.ts';
import { clearLab, removeLabDirectory } from './lab-down.ts';
import { LabError } from './lab-error.ts';
import { lockLab } from './lab-lock.ts';
import { labPaths, type LabPaths } from './lab-paths.ts';
import { differingFields, formatSpecError, type LabSpec, parseLabSpec } from './lab-spec.ts';
import { readPeerRoutes } from './lab-status.ts';
import { newLabState, readLabId, readLabState, writeLabState } from './lab-state.ts';
import { findOccupants, listNamespaces } from './namespaces.ts';
import { readBootId } from '@canal/node-state';
import { awaitNodes, ensureNode, reportReady } from './nodes.ts';
import { addPod } from './pods.ts';
import { checkMachine } from './preflight.ts';
import { type ProcessIdentity } from './proc-stat.ts';
import { findProcesses, isOfSomeLab } from './processes.ts';
import { initialNodes, planTopology } from './topology.ts';
import { ensureUnderlay } from './underlay.ts';
import { eachLimited, waitFor } from './wait.ts';

/** More nodes at the same time would only wait for the same few cores and the kernel's one lock. */
const PARALLEL_NODES = 8;

export interface UpResult {
  readonly context: LabContext;
  /** False when the lab was up already: then dead processes were started again and nothing else changed. */
  readonly created: boolean;
}

/**
 * Makes the lab, or makes sure that the lab of that name, if it is the same, is whole. The remains of an `up` that was
 * killed, or of before a reboot, are removed first. Throws LabError: `exists` when a lab of that name is another one;
 * after any failure of a new lab nothing of it is left.
 */
export async function bringUp(wanted: Partial<LabSpec>, options: LabOptions): Promise<UpResult> {
  const parsed = parseLabSpec(wanted);
  if (!parsed.ok) throw new LabError('invalid', formatSpecError(parsed.error));
  const spec = parsed.value;
  checkMachine(spec, options);
  const paths = labPaths(options.stateRoot, spec.name);
  using _lock = await lockLab(paths, {
    signal: options.signal,
    onWait: () => options.onProgress?.('waiting for another command on this lab'),
  });
  const existing = await findExisting(spec, paths, options);
  try {
    if (existing === undefined) return { context: await build(spec, paths, options), created: true };
    await awaitAdminApi(existing, await makeWhole(existing));
    return { context: existing, created: false };
  } catch (error) {
    const cause = options.signal?.aborted === true ? error : orFullDisk(error, paths.root);
    if (existing === undefined) {
      await clearLab(spec.name, paths);
      removeLabDirectory(paths);
    }
    throw cause;
  }
}

async function findExisting(spec: LabSpec, paths: LabPaths, options: LabOptions): Promise<LabContext | undefined> {
  const state = readLabState(paths);
  if (readLabId(paths) === undefined) refuseLabOfElsewhere(spec.name, paths);
  if (state?.phase !== 'ready' || state.bootId !== readBootId()) {
    if (state !== undefined || existsSync(paths.api.root))
      options.onProgress?.('removing the remains of an earlier start');
    await clearLab(spec.name, paths);
    return undefined;
  }
  const differing = differingFields(state.spec, spec);
  if (differing.length > 0) {
    const shown = differing.map((field) => `${field} ${String(state.spec[field])}`).join(', ');
    throw new LabError('exists', `the lab "${spec.name}" is up and is another one: it has ${shown}`, {
      hint: `end it with "canalctl lab down --name ${spec.name}", or choose another --name`,
    });
  }
  return openContext(spec.name, options);
}

/** Namespaces are the machine's: a lab of this name whose files are in another place would lose its own. */
function refuseLabOfElsewhere(name: string, paths: LabPaths): void {
  const [one] = findOccupants(listNamespaces(name)).filter(({ pid }) => isOfSomeLab(pid));
  if (one === undefined) return;
  // Made for the lock.
  if (readdirSync(paths.root).length === 1) removeLabDirectory(paths);
  throw new LabError('exists', `a lab "${name}" is up whose files are elsewhere (process ${one.pid})`, {
    hint: `choose another --name; if nobody needs that lab, "canalctl lab down --name ${name}" ends it`,
  });
}

async function build(spec: LabSpec, paths: LabPaths, options: LabOptions): Promise<LabContext> {
  mkdirSync(paths.root, { recursive: true, mode: 0o700 });
  const state = newLabState(spec, initialNodes(spec));
  writeLabState(paths, state);
  const secrets = createApiSecrets(planTopology(spec));
  writeApiSecrets(paths, secrets);
  const context = createContext(options, paths, state, secrets);
  const adminApi = await makeWhole(context);
  await addInitialPods(context);
  await awaitAdminApi(context, adminApi);
  const ready = { ...state, phase: 'ready' } as const;
  writeLabState(paths, ready);
  return { ...context, state: ready };
}

/** Underlay, API server, nodes and agents: what is missing is made or started. Gives the admin API, which has just started. */
async function makeWhole(context: LabContext): Promise<ProcessIdentity> {
  const { options, state, topology } = context;
  options.signal?.throwIfAborted();
  const running = findProcesses(state.id);
  options.onProgress?.('connecting the nodes');
  ensureUnderlay(state.spec, topology);
  options.onProgress?.('starting the API server');
  await ensureApi(context, running);
  options.onProgress?.(`starting the agents of ${state.nodes.length} nodes`);
  const agents = await eachLimited(state.nodes, PARALLEL_NODES, (node) => ensureNode(context, node, running));
  await awaitNodes(context, agents);
  // Not sooner: the agents would have to wait for it.
  const adminApi = await ensureAdminApi(context, running);
  await eachLimited(state.nodes, PARALLEL_NODES, (node) => reportReady(context, node));
  await awaitPeers(context);
  return adminApi;
}

/** The agents tell of themselves before they have heard of each other: that takes another moment. */
const PEERS_TIMEOUT_MS = 10_000;

async function awaitPeers({ options, state }: LabContext): Promise<void> {
  options.onProgress?.('waiting for the routes between the nodes');
  const complete = (): true | undefined =>
    state.nodes.every((node) => readPeerRoutes(node, state.nodes).every(({ via }) => via !== undefined)) || undefined;
  await waitFor(
    'the routes between the nodes',
    { timeoutMs: PEERS_TIMEOUT_MS, signal: options.signal },
    complete,
  ).catch((error: unknown) => {
    // A lab with a node that cannot be reached is still one to look at: its status says which and why.
    if (!(error instanceof LabError && error.code === 'timeout')) throw error;
  });
}

/** Nodes at the same time; the pods of one node in order, so that their addresses are in the order of their names. */
async function addInitialPods(context: LabContext): Promise<void> {
  const { options, state } = context;
  const { podsPerNode } = state.spec;
  if (podsPerNode > 0) options.onProgress?.(`adding ${state.nodes.length * podsPerNode} pods`);
  await eachLimited([...state.nodes.entries()], PARALLEL_NODES, async ([index, node]) => {
    for (let pod = 1; pod <= podsPerNode; pod++) {
      await addPod(context, { name: `pod${index * podsPerNode + pod}`, node: node.name });
    }
  });
}
