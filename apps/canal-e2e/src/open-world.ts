/** Opens the world that `npm run e2e` has prepared and described in the environment. */
import { runCommand } from './command.ts';
import { openClusterControl } from './cluster-control.ts';
import type { CommandOptions, NodeExec, Outside, World, WorldNode, WorldSettings } from './world.ts';

/** What the runner tells the test processes, as JSON. */
export interface WorldConfig {
  readonly kubeconfig: string;
  /** Path of kubectl. */
  readonly kubectl: string;
  readonly settings: WorldSettings;
  /** Name of a cluster of tools/cluster: gives control of its nodes. */
  readonly cluster?: string;
  /** Command prefix that runs a command on a node, `{node}` standing for its name: `docker exec {node}`. */
  readonly nodeExec?: string;
  /** Command prefix that runs a command on a machine outside the cluster which has agnhost as /agnhost. */
  readonly outsideExec?: string;
}

export const WORLD_VARIABLE = 'CANAL_E2E_WORLD';

export async function openWorld(): Promise<World> {
  const text = process.env[WORLD_VARIABLE];
  if (text === undefined) {
    throw new Error(`${WORLD_VARIABLE} is not set: run scenarios with npm run e2e (docs/e2e.md)`);
  }
  return makeWorld(JSON.parse(text) as WorldConfig);
}

export async function makeWorld(config: WorldConfig): Promise<World> {
  const kubectlCommand = (args: readonly string[]) => [config.kubectl, '--kubeconfig', config.kubeconfig, ...args];
  const kubectl = (args: readonly string[], options?: CommandOptions) => runCommand(kubectlCommand(args), options);
  const control = config.cluster === undefined ? undefined : await openClusterControl(config.cluster);
  const nodeExec = control?.control.exec ?? prefixedNodeExec(config.nodeExec);
  const outside = control?.outside ?? (await prefixedOutside(config.outsideExec));
  return {
    kubeconfig: config.kubeconfig,
    settings: config.settings,
    kubectl,
    kubectlCommand,
    nodes: async () => parseNodes((await kubectl(['get', 'nodes', '-o', 'json'])).stdout),
    ...(nodeExec === undefined ? {} : { nodeExec }),
    ...(outside === undefined ? {} : { outside }),
    ...(control === undefined ? {} : { control: control.control }),
  };
}

/** The commands of a prefix as the user typed it: split at blanks, `{node}` replaced. */
export function prefixWords(prefix: string, node = ''): readonly string[] {
  return prefix
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => word.replaceAll('{node}', node));
}

function prefixedNodeExec(prefix: string | undefined): NodeExec | undefined {
  if (prefix === undefined) return undefined;
  return (node, command, options) => runCommand([...prefixWords(prefix, node), ...command], options);
}

/** Arguments: the URL and how often. A record separator ends each body. */
const CURL = `n=$2; while [ "$n" -gt 0 ]; do curl -sS --fail -m 5 "$1" || exit 1; printf '\\036'; n=$((n - 1)); done`;

async function prefixedOutside(prefix: string | undefined): Promise<Outside | undefined> {
  if (prefix === undefined) return undefined;
  const exec: Outside['exec'] = (command, options) => runCommand([...prefixWords(prefix), ...command], options);
  const { stdout } = await exec(['ip', '-o', 'addr', 'show', 'scope', 'global']);
  const ips = [...stdout.matchAll(/ inet6? ([^/ ]+)/g)].map(([, ip = '']) => ip);
  const get: Outside['get'] = async (url, times = 1) => {
    const { stdout } = await exec(['sh', '-c', CURL, 'get', url, String(times)], { timeoutMs: 60_000 });
    return stdout.split('\x1e').slice(0, -1);
  };
  return { exec, get, ips, agnhost: '/agnhost' };
}

interface NodeObject {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podCIDRs?: readonly string[] };
  readonly status: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

export function parseNodes(json: string): readonly WorldNode[] {
  const { items } = JSON.parse(json) as { items: readonly NodeObject[] };
  return items
    .map(({ metadata, spec, status }) => ({
      name: metadata.name,
      ips: (status.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
      podCidrs: spec.podCIDRs ?? [],
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
