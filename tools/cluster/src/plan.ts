/** Names and addresses of a cluster: everything that follows from its name, its number and its shape, without any I/O. */
import { join } from 'node:path';

import { ClusterError } from './failure.ts';
import type { KubernetesMinor } from './programs.ts';
import { KUBERNETES_MINORS } from './programs.ts';

export const IP_FAMILIES = ['ipv4', 'dual'] as const;
export const PROXY_MODES = ['iptables', 'nftables'] as const;
export type IpFamily = (typeof IP_FAMILIES)[number];
export type ProxyMode = (typeof PROXY_MODES)[number];

/** What a cluster is asked to be. */
export interface Shape {
  readonly nodes: number;
  readonly kubeProxy: ProxyMode;
  readonly ipFamily: IpFamily;
  readonly kubernetes: KubernetesMinor;
  /** Reference CNI plugins put into each node's /opt/cni/bin; none by default: canal brings what it needs. */
  readonly cniPlugins: readonly string[];
}

export const DEFAULT_SHAPE: Shape = {
  nodes: 2,
  kubeProxy: 'iptables',
  ipFamily: 'ipv4',
  kubernetes: KUBERNETES_MINORS[0],
  cniPlugins: [],
};

/** Everything of every cluster is below this folder; a cluster's own is the folder of its name. */
export const STATE_FOLDER = '/var/lib/canal-cluster';
export const MAX_NODES = 200;
export const CLUSTER_DOMAIN = 'cluster.local';

export const IMAGES = {
  pause: 'registry.k8s.io/pause:3.10.1',
  agnhost: 'registry.k8s.io/e2e-test-images/agnhost:2.53',
  coredns: 'registry.k8s.io/coredns/coredns:v1.14.7',
} as const;

/** `name` must make node names (DNS labels) and a cgroup's name. */
export function parseName(text: string): string {
  if (/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(text)) return text;
  throw new ClusterError(
    'usage',
    `--name ${JSON.stringify(text)}: expected a lower-case letter, then up to 39 letters, digits or inner dashes`,
  );
}

export interface Folders {
  readonly home: string;
  readonly state: string;
  readonly pki: string;
  readonly netns: string;
  readonly logs: string;
  readonly run: string;
  readonly etcd: string;
  readonly kubeconfig: string;
  /** kubectl keeps there what it knows of the API; its default is in root's home, by the address of the server alone. */
  readonly kubectlCache: string;
  readonly nodes: string;
}

export function folders(name: string): Folders {
  const home = join(STATE_FOLDER, name);
  return {
    home,
    state: join(home, 'state.json'),
    pki: join(home, 'pki'),
    netns: join(home, 'netns'),
    logs: join(home, 'logs'),
    run: join(home, 'run'),
    etcd: join(home, 'etcd'),
    kubeconfig: join(home, 'kubeconfig'),
    kubectlCache: join(home, 'kubectl-cache'),
    nodes: join(home, 'nodes'),
  };
}

/** Name of the cgroup that holds all processes of a cluster, in every hierarchy. */
export function cgroupName(name: string): string {
  return `canal-cluster-${name}`;
}

/** The link of the machine's own namespace into the underlay, so that clients here reach the API server. */
export function hostLink(underlay: number): string {
  return `cluster${underlay}`;
}

export function nodeName(cluster: string, index: number): string {
  return `${cluster}-${index}`;
}

/** Addresses of the underlay of cluster number `n` (1-254): host parts 1 control plane, 10+i node i, 250 outside, 254 host. */
export interface Underlay {
  readonly prefix4: number;
  readonly prefix6: number;
  readonly controlPlane: readonly string[];
  readonly outside: readonly string[];
  readonly host: readonly string[];
  readonly node: (index: number) => readonly string[];
}

export function underlay(n: number, family: IpFamily): Underlay {
  const at = (host: number): readonly string[] => {
    const v4 = `172.30.${n}.${host}`;
    return family === 'dual' ? [v4, `fd00:172:30:${n.toString(16)}::${host.toString(16)}`] : [v4];
  };
  return {
    prefix4: 24,
    prefix6: 64,
    controlPlane: at(1),
    outside: at(250),
    host: at(254),
    node: (index) => at(10 + index),
  };
}

export interface ClusterCidrs {
  readonly pods: readonly string[];
  readonly services: readonly string[];
  /** First address of each service range: the API server's own service. */
  readonly apiService: readonly string[];
  /** Tenth address: the cluster DNS. */
  readonly dns: readonly string[];
}

export function clusterCidrs(family: IpFamily): ClusterCidrs {
  const v4: ClusterCidrs = {
    pods: ['10.244.0.0/16'],
    services: ['10.96.0.0/16'],
    apiService: ['10.96.0.1'],
    dns: ['10.96.0.10'],
  };
  if (family === 'ipv4') return v4;
  return {
    pods: [...v4.pods, 'fd00:10:244::/56'],
    services: [...v4.services, 'fd00:10:96::/112'],
    apiService: [...v4.apiService, 'fd00:10:96::1'],
    dns: [...v4.dns, 'fd00:10:96::a'],
  };
}

export const API_PORT = 6443;
export const ETCD_URL = 'http://127.0.0.1:2379';

export function apiServerUrl(underlayNumber: number): string {
  return `https://172.30.${underlayNumber}.1:${API_PORT}`;
}
