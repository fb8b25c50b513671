/** Which scenarios run on which kind of cluster. Each group has a fresh one, and installs on it first. */
import type { KubernetesMinor } from '@canal/cluster';
import type { IpFamily, WorldSettings } from './world.ts';

export interface ClusterShape {
  readonly nodes: number;
  readonly kubeProxy: 'iptables' | 'nftables';
  readonly ipFamily: 'ipv4' | 'dual';
  /** Minor version; default: the newest that tools/cluster pins. */
  readonly kubernetes?: KubernetesMinor;
}

export interface Group {
  readonly name: string;
  /** Runs only with --all, or when asked for by name. */
  readonly long: boolean;
  /** Undefined: its files bring up what they need. */
  readonly cluster?: ClusterShape;
  readonly backend: WorldSettings['backend'];
  readonly podMode: WorldSettings['podMode'];
  /** Without folder and extension, in this order. */
  readonly files: readonly string[];
}

const VXLAN = { Type: 'vxlan' };
const VXLAN_DIRECT = { Type: 'vxlan', DirectRouting: true };
const HOST_GW = { Type: 'host-gw' };

/** What is judged on every kind of cluster. */
export const NETWORK_FILES = [
  'scenarios/install',
  'scenarios/connectivity',
  'scenarios/services',
  'scenarios/policy',
] as const;

/** What is judged on a cluster that others brought up; scenarios that need more than it offers say so. */
export const ANY_CLUSTER_FILES = [
  ...NETWORK_FILES,
  'scenarios/self-test',
  'scenarios/libcni',
  'scenarios/rbac',
  'scenarios/admin-api',
  'scenarios/backend-change',
  'scenarios/node-life',
  'scenarios/disruption',
  'scenarios/load',
  'scenarios/uninstall',
] as const;

function network(
  name: string,
  cluster: Partial<ClusterShape>,
  backend: Group['backend'],
  options: Partial<Pick<Group, 'long' | 'podMode' | 'files'>> = {},
): Group {
  return {
    name,
    long: true,
    podMode: 'routed',
    files: NETWORK_FILES,
    ...options,
    cluster: { nodes: 2, kubeProxy: 'iptables', ipFamily: 'ipv4', ...cluster },
    backend,
  };
}

export const GROUPS: readonly Group[] = [
  network('vxlan', {}, VXLAN, {
    long: false,
    files: [
      ...NETWORK_FILES,
      'scenarios/self-test',
      'scenarios/libcni',
      'scenarios/rbac',
      'scenarios/admin-api',
      'scenarios/backend-change',
      'scenarios/uninstall',
    ],
  }),
  network('host-gw-dual-nftables', { kubeProxy: 'nftables', ipFamily: 'dual' }, HOST_GW, {
    long: false,
    files: [...NETWORK_FILES, 'scenarios/self-test', 'scenarios/admin-api'],
  }),
  network('faults', {}, VXLAN, {
    long: false,
    files: ['scenarios/install', 'scenarios/disruption', 'scenarios/node-life', 'scenarios/load'],
  }),
  {
    name: 'store',
    long: false,
    backend: VXLAN,
    podMode: 'routed',
    files: [
      'store/real-api',
      'store/disruptions',
      'store/kubectl',
      'store/canalctl',
      'store/rights',
      'store/alert-rules',
    ],
  },
  network('vxlan-direct', { nodes: 3 }, VXLAN_DIRECT),
  network('vxlan-dual', { nodes: 3, ipFamily: 'dual' }, VXLAN),
  network('vxlan-direct-dual-nftables', { kubeProxy: 'nftables', ipFamily: 'dual' }, VXLAN_DIRECT),
  network('host-gw', { nodes: 3 }, HOST_GW),
  network('vxlan-bridge', {}, VXLAN, { podMode: 'bridge' }),
  network('host-gw-bridge-dual', { ipFamily: 'dual' }, HOST_GW, { podMode: 'bridge' }),
  network('kubernetes-1.35', { kubernetes: '1.35' }, VXLAN),
  network('kubernetes-1.34', { kubernetes: '1.34' }, VXLAN),
];

/** The groups of a run. Throws, with all names, when one that is asked for does not exist. */
export function chooseGroups(names: readonly string[], all: boolean): readonly Group[] {
  const unknown = names.find((name) => !GROUPS.some((group) => group.name === name));
  if (unknown !== undefined) {
    throw new Error(`no group ${unknown}: there are ${GROUPS.map((group) => group.name).join(', ')}`);
  }
  return GROUPS.filter((group) => (names.length > 0 ? names.includes(group.name) : all || !group.long));
}

export function familiesOf(ipFamily: ClusterShape['ipFamily']): readonly IpFamily[] {
  return ipFamily === 'dual' ? ['ipv4', 'ipv6'] : ['ipv4'];
}
