/** Pods, namespaces and policies of the cluster, and whose an address is. */
import { type NetworkPolicy, type PolicyNamespace, type PolicyPod, selects } from '@canal/model';
import type { Ip } from 'net-types';
import type { PodPeer } from './allow-peer.ts';

export class ClusterState {
  readonly #pods = new Map<string, Map<string, PolicyPod>>();
  readonly #namespaces = new Map<string, PolicyNamespace>();
  readonly #policies = new Map<string, Map<string, NetworkPolicy>>();

  putPod(pod: PolicyPod): void {
    inner(this.#pods, pod.namespace).set(pod.name, pod);
  }

  deletePod(namespace: string, name: string): void {
    this.#pods.get(namespace)?.delete(name);
  }

  pod(namespace: string, name: string): PolicyPod | undefined {
    return this.#pods.get(namespace)?.get(name);
  }

  putNamespace(namespace: PolicyNamespace): void {
    this.#namespaces.set(namespace.name, namespace);
  }

  deleteNamespace(name: string): void {
    this.#namespaces.delete(name);
  }

  namespace(name: string): PolicyNamespace | undefined {
    return this.#namespaces.get(name);
  }

  putPolicy(policy: NetworkPolicy): void {
    inner(this.#policies, policy.namespace).set(policy.name, policy);
  }

  deletePolicy(namespace: string, name: string): void {
    this.#policies.get(namespace)?.delete(name);
  }

  policies(namespace: string): readonly NetworkPolicy[] {
    return [...(this.#policies.get(namespace)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  *allPolicies(): Iterable<NetworkPolicy> {
    for (const policies of this.#policies.values()) yield* policies.values();
  }

  /** Of each address of a live pod the youngest that has it. */
  owners(): ReadonlyMap<Ip, PolicyPod> {
    const owners = new Map<Ip, PolicyPod>();
    for (const pods of this.#pods.values()) {
      for (const pod of pods.values()) {
        if (pod.hostNetwork || pod.completed) continue;
        for (const ip of pod.addresses) {
          const owner = owners.get(ip);
          if (owner === undefined || isYounger(pod, owner)) owners.set(ip, pod);
        }
      }
    }
    return owners;
  }

  isPeer(peer: PodPeer, pod: PolicyPod): boolean {
    if (typeof peer.namespaces === 'string') {
      return pod.namespace === peer.namespaces && selects(peer.pods, pod.labels);
    }
    const namespace = this.#namespaces.get(pod.namespace);
    return namespace !== undefined && selects(peer.namespaces, namespace.labels) && selects(peer.pods, pod.labels);
  }
}

function isYounger(a: PolicyPod, b: PolicyPod): boolean {
  return a.createdMs > b.createdMs || (a.createdMs === b.createdMs && a.uid > b.uid);
}

function inner<T>(maps: Map<string, Map<string, T>>, key: string): Map<string, T> {
  let map = maps.get(key);
  if (map === undefined) maps.set(key, (map = new Map<string, T>()));
  return map;
}
