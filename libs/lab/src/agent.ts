/** The real node agent on a node of the lab: its files, its process, and when the cluster may use the node. */
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
import { isAlive, startProcess } from './processes.ts';
import { type LabTopology, type NodePlan } from './topology.ts';

/** Port of /healthz, /readyz and /metrics in every node's own namespace. */
export const HEALTH_PORT = 8081;

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

/** The agent's command line: flannel's flags, with the lab's paths in place of the usual ones. */
export function agentArguments(spec: LabSpec, node: NodePlan, paths: NodePaths): readonly string[] {
  return [
    '--kube-subnet-mgr',
    '--ip-masq',
    `--kubeconfig-file=${paths.kubeconfig}`,
    `--net-config-path=${paths.netConf}`,
    `--subnet-file=${paths.subnetFile}`,
    `--iface=${node.uplink}`,
    `--healthz-ip=${spec.ipFamily === 'ipv4' ? '0.0.0.0' : '::'}`,
    `--healthz-port=${HEALTH_PORT}`,
    `--cni-state-dir=${paths.cniStateDir}`,
    `--cni-data-dir=${paths.cniDataDir}`,
    `--cni-cache-dir=${paths.cniCacheDir}`,
  ];
}

export function agentRole(node: string): string {
  return `flanneld/${node}`;
}

export function startAgent(deps: AgentDeps, node: NodePlan, paths: NodePaths): ProcessIdentity {
  return startProcess({
    labId: deps.labId,
    role: agentRole(node.name),
    argv: [deps.binary, 'flanneld', ...agentArguments(deps.spec, node, paths)],
    env: { NODE_NAME: node.name },
    namespace: node.namespace,
    logPath: paths.log,
  });
}

export interface AwaitedAgent {
  readonly node: string;
  readonly process: ProcessIdentity;
  readonly log: string;
}

/** How often a dead agent is looked for while the API server says nothing. */
const LIVENESS_INTERVAL_MS = 100;

/**
 * Waits until every agent has told the API server that its node's network is there, as kubelet and scheduler would.
 * Throws LabError `failed` with the end of its log when one dies, `timeout` when one says nothing.
 */
export async function awaitAgents(
  store: Store,
  agents: readonly AwaitedAgent[],
  options: { timeoutMs: number; signal?: AbortSignal | undefined; onReady?: (missing: number) => void },
): Promise<void> {
  const missing = new Map(agents.map((agent) => [agent.node, agent]));
  if (missing.size === 0) return;
  const stop = new AbortController();
  const deadline = setTimeout(() => stop.abort(tookTooLong(missing, options.timeoutMs)), options.timeoutMs);
  const liveness = setInterval(() => {
    const dead = [...missing.values()].find((agent) => !isAlive(agent.process));
    if (dead !== undefined) stop.abort(died(dead));
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

function died(agent: AwaitedAgent): LabError {
  return new LabError('failed', `the agent of ${agent.node} has ended\n${logTail(agent.log)}`);
}

function tookTooLong(missing: ReadonlyMap<string, AwaitedAgent>, timeoutMs: number): LabError {
  const [first] = missing.values();
  const names = [...missing.keys()].join(', ');
  const tail = first === undefined ? '' : `\n${logTail(first.log)}`;
  return new LabError('timeout', `the network of ${names} was not there within ${timeoutMs} ms${tail}`);
}
