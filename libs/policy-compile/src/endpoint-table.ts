/** Endpoints of this node, each with the pod as which it is judged, and which of them has an address. */
import type { PolicyEndpoint, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';

export interface EndpointEntry {
  readonly endpoint: PolicyEndpoint;
  /** Of the endpoint's uid, as last known. */
  subject: PolicyPod | undefined;
  /** Addresses that are this endpoint's in the rules. */
  addresses: readonly Ip[];
}

export class EndpointTable {
  readonly #entries = new Map<string, EndpointEntry>();
  readonly #byUid = new Map<string, Set<EndpointEntry>>();
  readonly #owners = new Map<Ip, EndpointEntry>();
  #contested = false;

  /** `find` gives the pod of that name, whatever its uid. */
  put(endpoint: PolicyEndpoint, find: (namespace: string, name: string) => PolicyPod | undefined): void {
    const before = this.#entries.get(endpoint.key);
    if (before !== undefined) this.#forgetUid(before);
    const { pod } = endpoint;
    const known = pod === undefined ? undefined : find(pod.namespace, pod.name);
    const last = before?.subject;
    const subject = [known, last].find((candidate) => candidate !== undefined && candidate.uid === pod?.uid);
    const entry: EndpointEntry = { endpoint, subject, addresses: [] };
    this.#entries.set(endpoint.key, entry);
    if (pod !== undefined) {
      const same = this.#byUid.get(pod.uid);
      if (same === undefined) this.#byUid.set(pod.uid, new Set([entry]));
      else same.add(entry);
    }
    this.#contested = true;
  }

  delete(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#forgetUid(entry);
    this.#contested = true;
    return this.#entries.delete(key);
  }

  /** Endpoints of the pod from now on are judged as it is. */
  learn(pod: PolicyPod): Iterable<EndpointEntry> {
    const entries = [...(this.#byUid.get(pod.uid) ?? [])].filter(
      ({ endpoint }) => endpoint.pod?.namespace === pod.namespace && endpoint.pod.name === pod.name,
    );
    for (const entry of entries) entry.subject = pod;
    if (entries.length > 0) this.#contested = true;
    return entries;
  }

  get(key: string): EndpointEntry | undefined {
    return this.#entries.get(key);
  }

  entries(): Iterable<EndpointEntry> {
    return this.#entries.values();
  }

  owner(ip: Ip): EndpointEntry | undefined {
    this.settle();
    return this.#owners.get(ip);
  }

  /** Decides whose each address is. */
  settle(): void {
    if (!this.#contested) return;
    this.#contested = false;
    this.#owners.clear();
    for (const entry of this.#entries.values()) {
      for (const ip of entry.endpoint.addresses) {
        const owner = this.#owners.get(ip);
        if (owner === undefined || compareClaims(entry, owner) > 0) this.#owners.set(ip, entry);
      }
    }
    for (const entry of this.#entries.values()) {
      entry.addresses = [...new Set(entry.endpoint.addresses)].filter((ip) => this.#owners.get(ip) === entry);
    }
  }

  #forgetUid(entry: EndpointEntry): void {
    const uid = entry.endpoint.pod?.uid;
    if (uid === undefined) return;
    const same = this.#byUid.get(uid);
    same?.delete(entry);
    if (same?.size === 0) this.#byUid.delete(uid);
  }
}

export function lostAddress({ endpoint, addresses }: EndpointEntry): boolean {
  return endpoint.addresses.some((ip) => !addresses.includes(ip));
}

/** The greater keeps the address: the endpoint of the younger pod; unknown pods are older than all. */
function compareClaims(a: EndpointEntry, b: EndpointEntry): number {
  const byAge = (a.subject?.createdMs ?? -Infinity) - (b.subject?.createdMs ?? -Infinity);
  if (byAge !== 0 && !Number.isNaN(byAge)) return byAge;
  return compareText(a.subject?.uid ?? '', b.subject?.uid ?? '') || compareText(a.endpoint.key, b.endpoint.key);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
