/** Control of the machines of a cluster that tools/cluster has brought up, through its command line. */
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';
import type { CommandOptions, CommandResult, NodeControl, Outside } from './world.ts';

/** What this suite reads of `npm run cluster -- status --output json`. */
export interface ClusterStatus {
  readonly name: string;
  readonly kubernetesVersion: string;
  readonly ipFamily: string;
  readonly kubeProxy: string;
  readonly kubeconfig: string;
  readonly podCidrs: readonly string[];
  readonly nodes: readonly { readonly name: string; readonly ips: readonly string[]; readonly root: string }[];
  readonly outside: { readonly ips: readonly string[] };
  /** Programs by name, as paths of this machine. */
  readonly binaries: Readonly<Record<string, string>>;
}

const CLUSTER_TOOL = fileURLToPath(new URL('../../../tools/cluster/src/main.ts', import.meta.url));
const FETCH = `const answer = await fetch(process.argv.at(-1), { signal: AbortSignal.timeout(5000) });
if (!answer.ok) throw new Error(String(answer.status));
process.stdout.write(await answer.text());`;
/** A node that comes back after a reboot, an API server that starts: what takes longest here. */
const SLOW_MS = 120_000;

export function clusterTool(name: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
  const [command = '', ...rest] = args;
  return runCommand([process.execPath, CLUSTER_TOOL, command, '--name', name, ...rest], options);
}

export async function readClusterStatus(name: string): Promise<ClusterStatus> {
  return JSON.parse((await clusterTool(name, ['status', '--output', 'json'])).stdout) as ClusterStatus;
}

export async function openClusterControl(
  name: string,
): Promise<{ readonly control: NodeControl; readonly outside: Outside }> {
  const status = await readClusterStatus(name);
  const slow = async (...args: readonly string[]): Promise<void> => {
    await clusterTool(name, args, { timeoutMs: SLOW_MS });
  };
  const program = (wanted: string): string => {
    const path = status.binaries[wanted];
    if (path !== undefined) return path;
    throw new Error(`the cluster has no program ${wanted}, only ${Object.keys(status.binaries).join(', ')}`);
  };
  const control: NodeControl = {
    exec: (node, command, options) => clusterTool(name, ['node', node, '--', ...command], options),
    async addNode() {
      const before = new Set(status.nodes.map((node) => node.name));
      await slow('node-add');
      const added = (await readClusterStatus(name)).nodes.find((node) => !before.has(node.name));
      if (added === undefined) throw new Error('node-add added no node');
      return added.name;
    },
    removeNode: (node) => slow('node-remove', node),
    reboot: (node) => slow('reboot', node),
    stop: (node, component) => slow('stop', node, component),
    start: (node, component) => slow('start', node, component),
    restart: (node, component) => slow('restart', node, component),
    stopApiServer: () => slow('apiserver', 'stop'),
    startApiServer: () => slow('apiserver', 'start'),
    loadImage: (tar, node) => slow('load-image', tar, ...(node === undefined ? [] : ['--node', node])),
    logs: async (nodeOrControlPlane, component) =>
      (await clusterTool(name, ['logs', nodeOrControlPlane, component])).stdout,
    async hostRoot(node) {
      const found = (await readClusterStatus(name)).nodes.find((one) => one.name === node);
      if (found === undefined) throw new Error(`the cluster has no node ${node}`);
      return found.root;
    },
    program,
  };
  const execOutside: Outside['exec'] = (command, options) => clusterTool(name, ['outside', '--', ...command], options);
  const outside: Outside = {
    exec: execOutside,
    get: async (url) => (await execOutside([process.execPath, '-e', FETCH, url])).stdout,
    ips: status.outside.ips,
    agnhost: program('agnhost'),
  };
  return { control, outside };
}
