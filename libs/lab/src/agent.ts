/** The real agents on a node of the lab: their files and processes, and when the cluster may use the node. */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomic } from '@canal/node-state';
import { NODES, type Store } from '@canal/store-port';
import { type ApiSecrets } from './api-server.ts';
import { networkIsAvailable } from './kube-objects.ts';
import { LabError } from './lab-error.ts';
import { type NodePaths } from './lab-paths.ts';
import { type LabSpec } from './lab-spec.ts';
import { logTail } from './log-tail.ts';
import { apiServerUrl, CONFLIST_NAME, renderConflist, renderKubeconfig, renderNetConf } from './node-files.ts';
import { type ProcessIdentity } from './proc-stat.ts';
import { isAlive, type LabProcess, startProcess } from './processes.ts';
import { type LabTopology, type NodePlan } from './topology.ts';

/** Port of /healthz, /readyz and /metrics in every node's own namespace. */
export const HEALTH_PORT = 8081;
/** Likewise of the policy agent. */
const POLICY_HEALTH_PORT = 9097;

export interface AgentDeps {
  readonly labId: string;
  readonly binary: string;
  readonly spec: LabSpec;
  readonly topology: LabTopology;
  readonly secrets: ApiSecrets;
}

/** What an installer would put on the node: plugin, its list, net-conf.json, kubeconfig. */
export function writeNodeFiles(deps: AgentDeps, node: NodePlan, paths: NodePaths): void {
  const { spec, topology, secrets, binary } = deps;
  const [gateway] = node.gateways;
  if (gateway === undefined) throw new LabError('invalid', `${node.name} has no way to the API server`);
  for (const directory of [dirname(paths.subnetFile), paths.cniDataDir, paths.cniStateDir, paths.cniBinDir]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  const plugin = join(paths.cniBinDir, 'canal');
  rmSync(plugin, { force: true });
  symlinkSync(binary, plugin);
  write(paths.netConf, renderNetConf(spec, topology));
  write(
    paths.kubeconfig,
    renderKubeconfig({ lab: spec.name, server: apiServerUrl(gateway), ca: secrets.ca, token: secrets.agentToken }),
  );
  write(join(paths.cniConfDir, CONFLIST_NAME), renderConflist(spec, paths));
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomic(dirname(path), basename(path), text, { mode: 0o600, survives: 'process' });
}

/** flanneld's command line: flannel's flags, with the lab's paths in place of the usual ones. */
export function agentArguments(spec: LabSpec, node: NodePlan, paths: NodePaths): readonly string[] {
  return [
    '--kube-subnet-mgr',
    '--ip-masq',
    `--kubeconfig-file=${paths.kubeconfig}`,
    `--net-config-path=${paths.netConf}`,
    `--subnet-file=${paths.subnetFile}`,
    `--iface=${node.uplink}`,
    `--healthz-ip=${healthIp(spec)}`,
    `--healthz-port=${HEALTH_PORT}`,
    `--cni-state-dir=${paths.cniStateDir}`,
    `--cni-data-dir=${paths.cniDataDir}`,
    `--cni-cache-dir=${paths.cniCacheDir}`,
    `--node-socket=${paths.nodeSocket}`,
    ...(spec.policy === 'required' ? [`--policy-socket=${paths.policySocket}`] : []),
  ];
}

/** The policy agent's command line. */
export function policyAgentArguments(spec: LabSpec, paths: NodePaths): readonly string[] {
  return [
    `--kubeconfig-file=${paths.kubeconfig}`,
    `--net-config-path=${paths.netConf}`,
    `--socket=${paths.policySocket}`,
    `--cni-state-dir=${paths.cniStateDir}`,
    `--healthz-ip=${healthIp(spec)}`,
    `--healthz-port=${POLICY_HEALTH_PORT}`,
  ];
}

/** All addresses: the underlay's namespace may ask as well. */
function healthIp(spec: LabSpec): string {
  return spec.ipFamily === 'ipv4' ? '0.0.0.0' : '::';
}

export function agentRole(node: string): string {
  return `flanneld/${node}`;
}

export function policyAgentRole(node: string): string {
  return `policy-agent/${node}`;
}

/** One of a node's long-running programs. */
interface Program {
  readonly name: 'flanneld' | 'policy-agent';
  readonly role: string;
  readonly args: readonly string[];
  readonly log: string;
}

function programsOf(spec: LabSpec, node: NodePlan, paths: NodePaths): readonly Program[] {
  const flanneld: Program = {
    name: 'flanneld',
    role: agentRole(node.name),
    args: agentArguments(spec, node, paths),
    log: paths.log,
  };
  if (spec.policy === 'off') return [flanneld];
  const args = policyAgentArguments(spec, paths);
  // It goes first: flanneld waits for it.
  return [{ name: 'policy-agent', role: policyAgentRole(node.name), args, log: paths.policyLog }, flanneld];
}

/** Starts those of the node's agents that do not run. */
export function ensureAgents(
  deps: AgentDeps,
  node: NodePlan,
  paths: NodePaths,
  running: readonly LabProcess[],
): AwaitedNode {
  const agents = programsOf(deps.spec, node, paths).map(({ name, role, args, log }): AwaitedAgent => {
    const current = running.find((one) => one.role === role);
    const start = (): ProcessIdentity =>
      startProcess({
        labId: deps.labId,
        role,
        argv: [deps.binary, name, ...args],
        env: { NODE_NAME: node.name },
        namespace: node.namespace,
        logPath: log,
      });
    return { name, process: current ?? start(), log };
  });
  return { node: node.name, agents };
}

export interface AwaitedNode {
  readonly node: string;
  readonly agents: readonly AwaitedAgent[];
}

export interface AwaitedAgent {
  readonly name: string;
  readonly process: ProcessIdentity;
  readonly log: string;
}

/** How often a dead agent is looked for while the API server says nothing. */
const LIVENESS_INTERVAL_MS = 100;

/**
 * Waits until flanneld has told the API server of every node that its network is there, as kubelet and scheduler would.
 * Throws LabError `failed` with the end of its log when one dies, `timeout` when one says nothing.
 */
export async function awaitAgents(
  store: Store,
  nodes: readonly AwaitedNode[],
  options: { timeoutMs: number; signal?: AbortSignal | undefined; onReady?: (missing: number) => void },
): Promise<void> {
  const missing = new Map(nodes.map((node) => [node.node, node]));
  if (missing.size === 0) return;
  const stop = new AbortController();
  const deadline = setTimeout(() => stop.abort(tookTooLong(missing, options.timeoutMs)), options.timeoutMs);
  const liveness = setInterval(() => {
    for (const { node, agents } of missing.values()) {
      const dead = agents.find((agent) => !isAlive(agent.process));
      if (dead !== undefined) stop.abort(died(node, dead));
    }
  }, LIVENESS_INTERVAL_MS);
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  try {
    const available = (object: Parameters<typeof networkIsAvailable>[0]) =>
      ({ ok: true, value: networkIsAvailable(object) }) as const;
    for await (const event of store.watch(NODES, available, {}, signal)) {
      if (event.type === 'put' && event.parsed.ok && event.parsed.value && missing.delete(event.key)) {
        options.onReady?.(missing.size);
      }
      if (missing.size === 0) return;
    }
    signal.throwIfAborted();
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(deadline);
    clearInterval(liveness);
  }
}

function died(node: string, { name, log }: AwaitedAgent): LabError {
  return new LabError('failed', `the ${name} of ${node} has ended\n${logTail(log)}`);
}

function tookTooLong(missing: ReadonlyMap<string, AwaitedNode>, timeoutMs: number): LabError {
  const [first] = missing.values();
  const names = [...missing.keys()].join(', ');
  const tails = first?.agents.map(({ name, log }) => `\n${name}:\n${logTail(log)}`).join('') ?? '';
  return new LabError('timeout', `the network of ${names} was not there within ${timeoutMs} ms${tails}`);
}
