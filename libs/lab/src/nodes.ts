/** Nodes of the lab: namespace and link, the files of an installer, the Node object, the agent. */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODES, StoreError } from '@canal/store-port';
import { agentRole, awaitAgents, type AwaitedNode, ensureAgents, policyAgentRole, writeNodeFiles } from './agent.ts';
import { nodeObject, nodeReadyPatch, nodeStatus } from './kube-objects.ts';
import { agentDeps, findNode, type LabContext, runtimeOf } from './lab-context.ts';
import { LabError } from './lab-error.ts';
import { nodePaths } from './lab-paths.ts';
import { isLabel, MAX_NODES } from './lab-spec.ts';
import { type LabState, writeLabState } from './lab-state.ts';
import { removeNamespace } from './namespaces.ts';
import { forgetPod, listPods } from './pods.ts';
import { checkPolicyAgent } from './policy-readiness.ts';
import { findProcesses, killProcesses, type LabProcess } from './processes.ts';
import { type NodePlan, planNode, RESERVED_NODE_NAME } from './topology.ts';
import { ensureNodeLink, removeNodeLink } from './underlay.ts';

/** An agent lists the nodes, programs the kernel and says so: tenths of a second; a loaded machine takes longer. */
const AGENT_TIMEOUT_MS = 30_000;

export interface NodeWish {
  /** `nodeN` with the lowest free number when absent. */
  readonly name?: string;
  /** Segment of the underlay, from 1; the one with the fewest nodes when absent. */
  readonly segment?: number;
}

/** Makes what is missing of a node but its agents' readiness. `running` are the lab's living processes. */
export async function ensureNode(
  context: LabContext,
  node: NodePlan,
  running: readonly LabProcess[],
): Promise<AwaitedNode> {
  const paths = nodePaths(context.paths, node.name);
  ensureNodeLink(context.state.spec, context.topology, node);
  writeNodeFiles(agentDeps(context), node, paths);
  await ensureNodeObject(context, node);
  return ensureAgents(agentDeps(context), node, paths, running);
}

async function ensureNodeObject(context: LabContext, node: NodePlan): Promise<void> {
  if ((await context.store.get(NODES, node.name)) !== undefined) return;
  await context.store.create(NODES, nodeObject(node));
  await context.store.mergePatch(NODES, node.name, nodeStatus(node), { subresource: 'status' });
}

/** Waits until pods can be put on the nodes. */
export async function awaitNodes(context: LabContext, nodes: readonly AwaitedNode[]): Promise<void> {
  const { signal, onProgress } = context.options;
  await awaitAgents(context.store, nodes, {
    timeoutMs: AGENT_TIMEOUT_MS,
    signal,
    onReady: (missing) => onProgress?.(`waiting for the agents: ${nodes.length - missing} of ${nodes.length}`),
  });
}

/** What kubelet does: asks the plugin (CNI STATUS), and says in the Node object whether pods can come. */
export async function reportReady(context: LabContext, node: NodePlan): Promise<void> {
  const problem = await askUntilReady(context, node);
  for (let attempt = 1; ; attempt++) {
    const live = await context.store.get(NODES, node.name);
    if (live === undefined) return;
    const patch = nodeReadyPatch(live, problem, new Date());
    try {
      await context.store.mergePatch(NODES, node.name, patch, { subresource: 'status' });
      return;
    } catch (error) {
      // The agent writes its condition into the same list.
      if (!(error instanceof StoreError && error.code === 'conflict') || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

const MAX_ATTEMPTS = 10;
const STATUS_INTERVAL_MS = 100;

/** Undefined, or what plugin or policy agent still say when the time is over: an agent that was started again takes a moment. */
async function askUntilReady(context: LabContext, node: NodePlan): Promise<string | undefined> {
  const { signal } = context.options;
  const end = performance.now() + AGENT_TIMEOUT_MS;
  for (;;) {
    try {
      await runtimeOf(context, node).status(signal);
      // The plugin calls a node ready whose policy agent restarts; whoever waits here wants to add pods.
      if (context.state.spec.policy === 'required')
        await checkPolicyAgent(nodePaths(context.paths, node.name).policySocket);
      return undefined;
    } catch (error) {
      signal?.throwIfAborted();
      if (performance.now() > end) return error instanceof Error ? error.message : String(error);
      await sleep(STATUS_INTERVAL_MS);
    }
  }
}

/** Adds a node and waits for its agents. The caller holds the lab's lock. */
export async function addNode(context: LabContext, wish: NodeWish): Promise<{ node: NodePlan; state: LabState }> {
  const node = planNewNode(context, wish);
  // Written first: whatever is made from here on is found by "down" and by the next "up".
  const state = { ...context.state, nodes: [...context.state.nodes, node] };
  writeLabState(context.paths, state);
  await awaitNodes(context, [await ensureNode(context, node, [])]);
  await reportReady(context, node);
  return { node, state };
}

/** sun_path of unix(7) without its NUL. */
const MAX_SOCKET_PATH = 107;

function planNewNode({ paths, state }: LabContext, wish: NodeWish): NodePlan {
  const number = lowestFree(new Set(state.nodes.map((node) => node.number)));
  if (number > MAX_NODES) throw new LabError('invalid', `a lab has at most ${MAX_NODES} nodes`);
  const name = wish.name ?? freeName(state, number);
  if (!isLabel(name) || name === RESERVED_NODE_NAME) {
    throw new LabError('invalid', `${JSON.stringify(name)} is no name for a node`, {
      hint: `lower-case letters, digits and dashes, at most 63 characters, not "${RESERVED_NODE_NAME}"`,
    });
  }
  if (state.nodes.some((node) => node.name === name)) {
    throw new LabError('exists', `there is a node ${JSON.stringify(name)} already`);
  }
  // The longest of those in it.
  const { nodeSocket } = nodePaths(paths, name);
  if (Buffer.byteLength(nodeSocket) > MAX_SOCKET_PATH) {
    const hint = `its socket would be ${nodeSocket}, and unix sockets have paths of at most ${MAX_SOCKET_PATH} bytes`;
    throw new LabError('invalid', `${JSON.stringify(name)} is too long a name here`, { hint });
  }
  const segment = wish.segment ?? emptiestSegment(state);
  if (!Number.isInteger(segment) || segment < 1 || segment > state.spec.segments) {
    throw new LabError('invalid', `there is no segment ${segment}`, { hint: `this lab has ${state.spec.segments}` });
  }
  return planNode(state.spec, { name, number, segment });
}

function lowestFree(taken: ReadonlySet<number>): number {
  let number = 1;
  while (taken.has(number)) number++;
  return number;
}

function freeName(state: LabState, number: number): string {
  const names = new Set(state.nodes.map((node) => node.name));
  let suffix = number;
  while (names.has(`node${suffix}`)) suffix++;
  return `node${suffix}`;
}

function emptiestSegment(state: LabState): number {
  const counts = Array.from({ length: state.spec.segments }, () => 0);
  for (const { segment } of state.nodes) counts[segment - 1] = (counts[segment - 1] ?? 0) + 1;
  return counts.indexOf(Math.min(...counts)) + 1;
}

/** A node that is switched off and taken out of the cluster: agent, pods, objects, namespace and files go. */
export async function removeNode(context: LabContext, name: string): Promise<LabState> {
  const node = findNode(context, name);
  const roles = [agentRole(name), policyAgentRole(name)];
  await killProcesses(findProcesses(context.state.id).filter(({ role }) => roles.includes(role)));
  for (const pod of listPods(context).filter((one) => one.node === name)) await forgetPod(context, pod);
  await context.store.delete(NODES, name).catch((error: unknown) => {
    if (!(error instanceof StoreError && error.code === 'not-found')) throw error;
  });
  removeNodeLink(context.topology.underlayNamespace, node);
  removeNamespace(node.namespace);
  rmSync(nodePaths(context.paths, name).root, { recursive: true, force: true });
  const state = { ...context.state, nodes: context.state.nodes.filter((one) => one.name !== name) };
  writeLabState(context.paths, state);
  return state;
}
