/** Whose an address is: the API may give one to several pods for a while, the node never gives one to two. */
import type { PolicyEndpoint, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';
import type { PolicyCluster } from './cluster.ts';

/**
 * The pod that peers and named ports mean: not on the host's network, not completed, and of those that have the address
 * one that is not being deleted, the youngest of such; the greater uid when they are of one age.
 */
export function podAt(cluster: PolicyCluster, address: Ip): PolicyPod | undefined {
  const [rightful] = cluster.pods
    .filter((pod) => !pod.hostNetwork && !pod.completed && pod.addresses.includes(address))
    .sort(rightfulFirst);
  return rightful;
}

export interface Subject {
  readonly endpoint: PolicyEndpoint;
  /** Absent: the API does not tell of it, or another endpoint took an address of this one. Isolated both ways. */
  readonly pod: PolicyPod | undefined;
}

/** The endpoint of the node that has the address, and the pod as which it is judged. */
export function subjectAt(cluster: PolicyCluster, address: Ip): Subject | undefined {
  const endpoint = endpointAt(cluster, address);
  if (endpoint === undefined) return undefined;
  const keepsAll = endpoint.addresses.every((own) => endpointAt(cluster, own) === endpoint);
  return { endpoint, pod: keepsAll ? podOf(cluster, endpoint) : undefined };
}

/** That of the rightful pod; an endpoint without a known pod yields to all that have one. */
function endpointAt(cluster: PolicyCluster, address: Ip): PolicyEndpoint | undefined {
  const [first] = cluster.endpoints
    .filter(({ addresses }) => addresses.includes(address))
    .sort((a, b) => {
      const [podA, podB] = [podOf(cluster, a), podOf(cluster, b)];
      const byPod = podA && podB ? rightfulFirst(podA, podB) : Number(podA === undefined) - Number(podB === undefined);
      return byPod || descending(a.key, b.key);
    });
  return first;
}

/** By uid: a pod of the same name may be another one. */
function podOf({ pods }: PolicyCluster, { pod }: PolicyEndpoint): PolicyPod | undefined {
  return pods.find(({ namespace, name, uid }) => namespace === pod?.namespace && name === pod.name && uid === pod.uid);
}

function rightfulFirst(a: PolicyPod, b: PolicyPod): number {
  const goesLater = Number(a.deleting === true) - Number(b.deleting === true);
  return goesLater || b.createdMs - a.createdMs || descending(a.uid, b.uid);
}

function descending(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}
