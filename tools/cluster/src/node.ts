/**
 * One node: a network, mount and UTS namespace that a holder process keeps, containerd, kubelet and kube-proxy in it, and
 * a folder of the machine with the node's own files. `root/` in that folder has the node's paths below it: what is in
 * `root/run` is lost with a reboot, the rest stays.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Programs } from './build.ts';
import { createCgroup, joinFiles } from './cgroup.ts';
import type { NodeComponent } from './component.ts';
import { componentProcess, hasEnded, logFile, startComponent, stopComponent } from './component.ts';
import { containerdConfig, kubeProxyConfig, kubeletArguments, kubeletConfig } from './component-config.ts';
import type { NodeInput } from './component-config.ts';
import { killCgroup, killNetwork } from './ending.ts';
import { ClusterError } from './failure.ts';
import { createMember, netnsPath, removeMember } from './network.ts';
import { baseRuntimeSpec } from './oci-base.ts';
import { createCertificate, kubeconfig } from './pki.ts';
import { apiServerUrl, cgroupName, clusterCidrs, folders, underlay } from './plan.ts';
import type { ProcessId } from './process.ts';
import { cleanEnvironment, execute } from './process.ts';
import type { ClusterState, NodeState } from './state.ts';
import { until } from './waiting.ts';
import { nodeInitScript, PRIVATE_FOLDERS } from './node-init.ts';

const HOLDER = 'holder';
const SOCKET = '/run/containerd/containerd.sock';

export function nodeHome(cluster: string, node: string): string {
  return join(folders(cluster).nodes, node);
}

/** The folder of the machine that holds the node's own /run, /etc/cni, /opt/cni, /var/lib/…. */
export function nodeRoot(cluster: string, node: string): string {
  return join(nodeHome(cluster, node), 'root');
}

export function nodeIps(state: ClusterState, node: NodeState): readonly string[] {
  return underlay(state.underlay, state.shape.ipFamily).node(node.index);
}

export function holderOf(cluster: string, node: string): ProcessId | undefined {
  return componentProcess({ cluster, member: node, component: HOLDER });
}

/** Files that outlive a reboot: certificates, configuration, CNI plugins that the cluster was asked to have. */
export async function prepareNode(state: ClusterState, node: NodeState, programs: Programs): Promise<void> {
  const home = nodeHome(state.name, node.name);
  const { pki } = folders(state.name);
  const ips = nodeIps(state, node);
  for (const folder of PRIVATE_FOLDERS) mkdirSync(join(home, 'root', folder), { recursive: true });
  mkdirSync(join(home, 'root/etc/cni/net.d'), { recursive: true });
  mkdirSync(join(home, 'root/opt/cni/bin'), { recursive: true });
  for (const folder of ['config', 'pki', 'sysctl']) mkdirSync(join(home, folder), { recursive: true });
  await createCertificate(pki, node.name, {
    commonName: `system:node:${node.name}`,
    organization: 'system:nodes',
    names: [node.name, ...ips],
  });
  for (const end of ['crt', 'key']) await execute('cp', [join(pki, `${node.name}.${end}`), join(home, 'pki')]);
  const input: NodeInput = {
    name: node.name,
    ips,
    home,
    authority: join(pki, 'ca.crt'),
    cgroupRoot: `/${nodeCgroup(state.name, node.name)}`,
    cidrs: clusterCidrs(state.shape.ipFamily),
    kubeProxy: state.shape.kubeProxy,
  };
  const server = apiServerUrl(state.underlay);
  const config = (file: string, text: string): void => {
    writeFileSync(join(home, 'config', file), text, { mode: 0o600 });
  };
  config('kubelet.kubeconfig', kubeconfig(pki, node.name, server, state.name));
  config('kube-proxy.kubeconfig', kubeconfig(pki, 'kube-proxy', server, state.name));
  config('kubelet.yaml', kubeletConfig(input));
  config('kube-proxy.yaml', kubeProxyConfig(input));
  config('containerd.toml', containerdConfig(join(home, 'config/oci-base.json')));
  config('oci-base.json', baseRuntimeSpec(await execute(programs.path.ctr, ['oci', 'spec']), join(home, 'boot_id')));
  config('resolv.conf', '# This cluster has no resolver but its own DNS.\n');
  for (const name of state.shape.cniPlugins)
    await execute('cp', [programs.cniPlugins[name] ?? name, join(home, 'root/opt/cni/bin', name)]);
}

/** Boots the node: namespaces, then containerd. Kubelet and kube-proxy are the caller's. */
export async function bootNode(state: ClusterState, node: NodeState, programs: Programs): Promise<void> {
  const home = nodeHome(state.name, node.name);
  rmSync(join(home, 'root/run'), { recursive: true, force: true });
  for (const folder of ['run/lock', 'run/netns']) mkdirSync(join(home, 'root', folder), { recursive: true });
  writeFileSync(join(home, 'boot_id'), `${crypto.randomUUID()}\n`, { mode: 0o444 });
  createCgroup(systemCgroup(state.name, node.name));
  await createMember(state, node.name, nodeIps(state, node));

  const ready = join(home, 'ready');
  rmSync(ready, { force: true });
  writeFileSync(join(home, 'init.sh'), nodeInitScript({ name: node.name, home, ready, nodes: hostsOf(state) }));
  const id = { cluster: state.name, member: node.name, component: HOLDER };
  startComponent(id, {
    argv: [
      ...['nsenter', `--net=${netnsPath(state.name, node.name)}`, '--'],
      ...['unshare', '--mount', '--uts', '--propagation', 'private', '/bin/sh', '-e', join(home, 'init.sh')],
    ],
    env: cleanEnvironment(state.id, programs.folders),
    supervised: false,
    cgroups: joinFiles(systemCgroup(state.name, node.name)),
  });
  await until(`node ${node.name} boots`, logFile(id), 60_000, () => {
    if (componentProcess(id) === undefined && !existsSync(ready))
      throw new ClusterError('failed', `node ${node.name} did not boot: see ${logFile(id)}`);
    return existsSync(ready);
  });
  await startNodeComponent(state, node, 'containerd', programs);
}

/** Starts one component and waits until it can be used. */
export async function startNodeComponent(
  state: ClusterState,
  node: NodeState,
  component: NodeComponent,
  programs: Programs,
): Promise<void> {
  const home = nodeHome(state.name, node.name);
  const id = { cluster: state.name, member: node.name, component };
  const program = programs.path[component];
  const arguments_: Record<NodeComponent, () => readonly string[]> = {
    containerd: () => ['--config', join(home, 'config/containerd.toml')],
    kubelet: () => kubeletArguments({ name: node.name, ips: nodeIps(state, node), home }),
    'kube-proxy': () => [`--config=${join(home, 'config/kube-proxy.yaml')}`],
  };
  const socket = join(home, 'root', SOCKET);
  if (component === 'containerd' && componentProcess(id) === undefined) rmSync(socket, { force: true });
  startComponent(id, {
    argv: [...enterNode(state.name, node.name), program, ...arguments_[component]()],
    env: cleanEnvironment(state.id, programs.folders),
    supervised: true,
    cgroups: joinFiles(systemCgroup(state.name, node.name)),
  });
  if (component !== 'containerd') return;
  await until(`containerd of ${node.name} answers`, logFile(id), 60_000, () => {
    if (existsSync(socket)) return true;
    if (hasEnded(id)) throw new ClusterError('failed', `containerd of ${node.name} ended: see ${logFile(id)}`);
    return false;
  });
}

export async function stopNodeComponent(state: ClusterState, node: NodeState, component: NodeComponent): Promise<void> {
  await stopComponent({ cluster: state.name, member: node.name, component }, 10_000);
}

/** Commands that run another inside the node's namespaces. */
export function enterNode(cluster: string, node: string): readonly string[] {
  const holder = holderOf(cluster, node);
  if (holder === undefined)
    throw new ClusterError('absent', `node ${node} is not running: start it with "npm run cluster -- reboot ${node}"`);
  return ['nsenter', '-t', String(holder.pid), '--net', '--mount', '--uts', '--'];
}

/** Imports a docker-archive into the node's containerd. */
export async function importImages(cluster: string, node: string, archive: string, programs: Programs): Promise<void> {
  const [command = '', ...rest] = enterNode(cluster, node);
  const importing = ['-n', 'k8s.io', 'images', 'import', '--digests=false', archive];
  await execute(command, [...rest, programs.path.ctr, ...importing], { timeout: 300_000 });
}

/** Ends all processes of a node at once, as a power cut does, and takes its links and namespaces away. */
export async function haltNode(state: ClusterState, node: NodeState): Promise<void> {
  await killCgroup(nodeCgroup(state.name, node.name));
  await killNetwork(netnsPath(state.name, node.name));
  await removeMember(state.name, node.name, nodeIps(state, node));
}

export function nodeCgroup(cluster: string, node: string): string {
  return `${cgroupName(cluster)}/${node}`;
}

/** Where the node's own programs run; pods are beside it. */
export function systemCgroup(cluster: string, node: string): string {
  return `${nodeCgroup(cluster, node)}/system`;
}

function hostsOf(state: ClusterState): readonly (readonly [string, readonly string[]])[] {
  return state.nodes.map((node) => [node.name, nodeIps(state, node)]);
}
