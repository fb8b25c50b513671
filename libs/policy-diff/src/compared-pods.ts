/** Which pods are ends of flows in both states, under which addresses; and which come or go. */
import type { PolicyPod } from '@canal/model';
import { type Ip, ipFamily, type IpFamily } from 'net-types';
import { BOTH, type ClusterState, type Twice } from './cluster-state.ts';
import type { PodChange } from './policy-diff.ts';

export const FAMILIES: readonly IpFamily[] = [4, 6];

export interface ComparedPod {
  /** `namespace/name`: a pod of the same name is the same pod, whatever its uid. */
  readonly path: string;
  readonly workload: string;
  readonly pod: Twice<PolicyPod>;
  /** By family, before and after; absent where the pod lacks one in either state. */
  readonly addresses: ReadonlyMap<IpFamily, Twice<Ip>>;
}

export interface ComparedPods {
  /** In order of their paths. */
  readonly pods: readonly ComparedPod[];
  readonly came: readonly PodChange[];
  readonly went: readonly PodChange[];
  /** Of any pod in either state, on the host's network or completed not counted. */
  readonly taken: ReadonlySet<Ip>;
}

export function comparePods(states: Twice<ClusterState>, workloadOf: (pod: PolicyPod) => string): ComparedPods {
  const ends = BOTH.map((when) => podEnds(states[when].pods)) as [PodEnds, PodEnds];
  const [before, after] = ends;
  const pods: ComparedPod[] = [];
  const came: PodChange[] = [];
  const went: PodChange[] = [];
  for (const path of [...new Set([...before.byPath.keys(), ...after.byPath.keys()])].sort()) {
    const [old, now] = [before.byPath.get(path), after.byPath.get(path)];
    const workload = workloadOf((now ?? old)?.pod as PolicyPod);
    const addresses = new Map<IpFamily, Twice<Ip>>();
    const only: Twice<IpFamily[]> = [[], []];
    for (const family of FAMILIES) {
      const [from, to] = [old?.addresses.get(family), now?.addresses.get(family)];
      if (from !== undefined && to !== undefined) addresses.set(family, [from, to]);
      else if (from !== undefined) only[0].push(family);
      else if (to !== undefined) only[1].push(family);
    }
    if (old && now && addresses.size > 0) pods.push({ path, workload, pod: [old.pod, now.pod], addresses });
    if (only[0].length > 0) went.push({ pod: path, workload, families: only[0] });
    if (only[1].length > 0) came.push({ pod: path, workload, families: only[1] });
  }
  return { pods, came, went, taken: new Set([...before.taken, ...after.taken]) };
}

interface PodEnds {
  readonly byPath: ReadonlyMap<string, { readonly pod: PolicyPod; readonly addresses: ReadonlyMap<IpFamily, Ip> }>;
  readonly taken: Iterable<Ip>;
}

/** Of each family the first address of a pod counts: Kubernetes gives one. */
function podEnds(pods: readonly PolicyPod[]): PodEnds {
  const owners = new Map<Ip, PolicyPod>();
  const live = pods.filter(({ hostNetwork, completed }) => !hostNetwork && !completed).sort(rightfulFirst);
  for (const pod of live) for (const ip of pod.addresses) if (!owners.has(ip)) owners.set(ip, pod);
  const byPath = new Map<string, { pod: PolicyPod; addresses: ReadonlyMap<IpFamily, Ip> }>();
  for (const pod of live) {
    const addresses = new Map<IpFamily, Ip>();
    for (const ip of pod.addresses) {
      if (owners.get(ip) === pod && !addresses.has(ipFamily(ip))) addresses.set(ipFamily(ip), ip);
    }
    const path = `${pod.namespace}/${pod.name}`;
    if (addresses.size > 0 && !byPath.has(path)) byPath.set(path, { pod, addresses });
  }
  return { byPath, taken: owners.keys() };
}

/** Whose an address is that several pods have: one not being deleted, the youngest, the one of the greater uid. */
function rightfulFirst(a: PolicyPod, b: PolicyPod): number {
  const goesLater = Number(a.deleting === true) - Number(b.deleting === true);
  return goesLater || b.createdMs - a.createdMs || (a.uid < b.uid ? 1 : a.uid > b.uid ? -1 : 0);
}
