/** Endpoints of this node, each with the pod as which it is judged, and which of them has an address. */
import type { PolicyEndpoint, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';
import { portListText } from './port-list.ts';

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
  #changed = new Set<string>();

  /** `find` gives the pod of that name, whatever its uid. */
  put(endpoint: PolicyEndpoint, find: (namespace: string, name: string) => PolicyPod | undefined): void {
    const { pod } = endpoint;
    const known = pod === undefined ? undefined : find(pod.namespace, pod.name);
    const remembered = pod === undefined ? [] : [...(this.#byUid.get(pod.uid) ?? [])].map(({ subject }) => subject);
    const subject = [known, ...remembered].find((candidate) => candidate !== undefined && isPodOf(endpoint, candidate));
    const before = this.#entries.get(endpoint.key);
    if (before !== undefined) this.#forgetUid(before);
    const entry: EndpointEntry = { endpoint, subject, addresses: [] };
    this.#entries.set(endpoint.key, entry);
    if (pod !== undefined) {
      const same = this.#byUid.get(pod.uid);
      if (same === undefined) this.#byUid.set(pod.uid, new Set([entry]));
      else same.add(entry);
    }
    this.#contested = true;
    this.#changed.add(endpoint.key);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#forgetUid(entry);
    this.#entries.delete(key);
    this.#contested = true;
    this.#changed.add(key);
  }

  /** Endpoints of the pod are judged as it is from now on. */
  learn(pod: PolicyPod): void {
    for (const entry of this.#byUid.get(pod.uid) ?? []) {
      if (!isPodOf(entry.endpoint, pod)) continue;
      if (entry.subject === undefined || !isSameSubject(entry.subject, pod)) {
        this.#contested = true;
        this.#changed.add(entry.endpoint.key);
      }
      entry.subject = pod;
    }
  }

  /** Marks the endpoints as changed whose pod is of the namespace and so. */
  touch(namespace: string, so: (subject: PolicyPod) => boolean): void {
    for (const { endpoint, subject } of this.#entries.values()) {
      if (subject?.namespace === namespace && so(subject)) this.#changed.add(endpoint.key);
    }
  }

  /** Keys of endpoints that may be judged otherwise than when this was asked last. */
  takeChanged(): ReadonlySet<string> {
    this.#settle();
    const changed = this.#changed;
    if (changed.size > 0) this.#changed = new Set();
    return changed;
  }

  get(key: string): EndpointEntry | undefined {
    this.#settle();
    return this.#entries.get(key);
  }

  entries(): Iterable<EndpointEntry> {
    this.#settle();
    return this.#entries.values();
  }

  owner(ip: Ip): EndpointEntry | undefined {
    this.#settle();
    return this.#owners.get(ip);
  }

  /** Decides whose each address is. */
  #settle(): void {
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
      const addresses = [...new Set(entry.endpoint.addresses)].filter((ip) => this.#owners.get(ip) === entry);
      if (addresses.join() !== entry.addresses.join()) this.#changed.add(entry.endpoint.key);
      entry.addresses = addresses;
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

function isPodOf({ pod }: PolicyEndpoint, candidate: PolicyPod): boolean {
  return pod?.uid === candidate.uid && pod.namespace === candidate.namespace && pod.name === candidate.name;
}

/** Whether the two are judged alike. */
function isSameSubject(a: PolicyPod, b: PolicyPod): boolean {
  const keys = Object.keys(a.labels);
  return (
    a.hostNetwork === b.hostNetwork &&
    a.createdMs === b.createdMs &&
    (a.deleting ?? false) === (b.deleting ?? false) &&
    keys.length === Object.keys(b.labels).length &&
    keys.every((key) => a.labels[key] === b.labels[key]) &&
    portListText(a.ports) === portListText(b.ports)
  );
}

export function lostAddress({ endpoint, addresses }: EndpointEntry): boolean {
  return endpoint.addresses.some((ip) => !addresses.includes(ip));
}

/**
 * The greater keeps the address: the endpoint of a pod that is not being deleted, then that of the younger one; unknown
 * pods come behind all.
 */
function compareClaims(a: EndpointEntry, b: EndpointEntry): number {
  const byState = stateRank(a) - stateRank(b);
  if (byState !== 0) return byState;
  const byAge = (a.subject?.createdMs ?? -Infinity) - (b.subject?.createdMs ?? -Infinity);
  if (byAge !== 0 && !Number.isNaN(byAge)) return byAge;
  return compareText(a.subject?.uid ?? '', b.subject?.uid ?? '') || compareText(a.endpoint.key, b.endpoint.key);
}

function stateRank({ subject }: EndpointEntry): number {
  return subject === undefined ? 0 : subject.deleting === true ? 1 : 2;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
