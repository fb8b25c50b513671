/** The state of a cluster when a scenario has failed, as files for whoever has to find out why. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { slug } from './pods.ts';
import type { World } from './world.ts';

const DIST = fileURLToPath(new URL('../../../dist/e2e', import.meta.url));

const CLUSTER_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  nodes: ['get', 'nodes', '-o', 'yaml'],
  pods: ['get', 'pods', '-A', '-o', 'wide'],
  'pods-yaml': ['get', 'pods', '-A', '-o', 'yaml'],
  services: ['get', 'services,endpointslices', '-A', '-o', 'wide'],
  events: ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
  'canal-config': ['get', 'configmap', '-n', 'canal-system', '-o', 'yaml'],
  'canal-describe': ['describe', 'daemonset,pods', '-n', 'canal-system'],
};

const NODE_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  links: ['ip', '-d', '-s', 'link'],
  addresses: ['ip', 'addr'],
  routes: ['ip', 'route', 'show', 'table', 'all'],
  'routes-6': ['ip', '-6', 'route', 'show', 'table', 'all'],
  rules: ['ip', 'rule'],
  neighbours: ['ip', 'neigh'],
  fdb: ['bridge', 'fdb'],
  nft: ['nft', 'list', 'ruleset'],
  iptables: ['iptables-save', '-c'],
  conflist: ['sh', '-c', 'head -n 100 /etc/cni/net.d/*; ls -la /etc/cni/net.d /opt/cni/bin /run/canal /var/lib/canal'],
  sysctl: ['sh', '-c', 'sysctl -a 2>/dev/null | grep -E "^net\\.(ipv[46]\\.(conf|ip_forward)|bridge)"'],
  sockets: ['ss', '-tulpn'],
};

const NODE_LOGS = ['kubelet', 'containerd', 'kube-proxy'];
const CONTROL_PLANE_LOGS = ['kube-apiserver', 'kube-controller-manager'];

/** Gives the folder, relative to the workspace. What cannot be had is said in the file that it would have been. */
export async function dumpWorld(world: World, scenario: string, error: unknown): Promise<string> {
  const name = join(world.settings.group, slug(scenario));
  const folder = join(DIST, name);
  mkdirSync(folder, { recursive: true });
  const write = async (file: string, read: () => Promise<string>): Promise<void> => {
    const text = await read().catch((reason: unknown) => `not to be had: ${String(reason)}`);
    writeFileSync(join(folder, file), text);
  };
  const kubectl = async (args: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await world.kubectl(args, { allowFailure: true, timeoutMs: 10_000 });
    return stdout + stderr;
  };
  writeFileSync(join(folder, 'failure.txt'), error instanceof Error ? (error.stack ?? error.message) : String(error));
  for (const [file, args] of Object.entries(CLUSTER_COMMANDS)) await write(`${file}.txt`, () => kubectl(args));
  await write('agents.log', () => agentLogs(kubectl));
  const nodes = await world.nodes().catch(() => []);
  for (const node of nodes) {
    const { nodeExec, control } = world;
    for (const [file, command] of nodeExec === undefined ? [] : Object.entries(NODE_COMMANDS)) {
      await write(`${node.name}-${file}.txt`, async () => {
        const { stdout, stderr } = (await nodeExec?.(node.name, command, { allowFailure: true })) ?? {};
        return `${stdout ?? ''}${stderr ?? ''}`;
      });
    }
    for (const component of control === undefined ? [] : NODE_LOGS) {
      await write(`${node.name}-${component}.log`, async () => (await control?.logs(node.name, component)) ?? '');
    }
  }
  for (const component of world.control === undefined ? [] : CONTROL_PLANE_LOGS) {
    await write(`${component}.log`, async () => (await world.control?.logs('control-plane', component)) ?? '');
  }
  return join('dist', 'e2e', name);
}

/** Of every pod of canal-system, the run before the last restart included. */
async function agentLogs(kubectl: (args: readonly string[]) => Promise<string>): Promise<string> {
  const listed = await kubectl(['get', 'pods', '-n', 'canal-system', '-o', 'name']);
  const pods = listed.split('\n').filter((line) => line.startsWith('pod/'));
  const parts: string[] = [];
  for (const pod of pods) {
    for (const run of [[], ['--previous']]) {
      const args = ['logs', '-n', 'canal-system', pod, '--all-containers', '--prefix', '--tail=2000', ...run];
      parts.push(`== kubectl ${args.join(' ')}\n${await kubectl(args)}`);
    }
  }
  return parts.join('\n');
}
