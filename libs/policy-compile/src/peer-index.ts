/**
 * Pods and namespaces of the cluster as peers: for each address the selectors that select its owner, and the ports that
 * the owner declares. Whoever keeps sets of addresses hears of each change of these.
 */
import type { Labels, NamedPort, PolicyNamespace, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';
import { AddressClaims } from './address-claims.ts';
import type { PodPeer } from './allow-peer.ts';
import { LabelDictionary } from './label-dictionary.ts';
import { type NamespaceRecord, NamespaceTable } from './namespace-table.ts';
import type { PeerSelector } from './peer-selector.ts';
import { PeerSelectors } from './peer-selectors.ts';
import { type ClassId, PodClasses } from './pod-classes.ts';
import { type PodSlot, PodTable } from './pod-table.ts';
import type { Selection } from './selection.ts';

/** What decides in which sets an address is. Equal ports are one object, equal selections are one object. */
export interface AddressFacts {
  readonly selection: Selection;
  readonly ports: readonly NamedPort[];
}

/** Undefined: no pod owns the address. */
export type AddressListener = (ip: Ip, before: AddressFacts | undefined, after: AddressFacts | undefined) => void;

export class PeerIndex {
  readonly #namespaces = new NamespaceTable();
  readonly #dictionary = new LabelDictionary();
  readonly #classes = new PodClasses<Selection>(this.#dictionary);
  readonly #pods = new PodTable(this.#classes);
  readonly #claims = new AddressClaims((pod, over) => this.#pods.prevails(pod, over));
  readonly #selectors = new PeerSelectors(this.#dictionary, this.#namespaces, this.#classes);
  readonly #changed: AddressListener;

  constructor(changed: AddressListener) {
    this.#changed = changed;
  }

  putPod(pod: PolicyPod): void {
    const namespace = this.#namespaces.obtain(pod.namespace);
    const slot = this.#pods.find(namespace, pod.name);
    const podClass = this.#classFor(namespace, pod.labels);
    if (slot === undefined) {
      const created = this.#pods.create(pod, podClass);
      this.#classes.addPod(podClass, created);
      this.#whileOwnersChange(this.#pods.ownAddresses(created), () => this.#claim(created));
      return;
    }
    if (this.#pods.holds(slot, pod, podClass)) return;
    const before = this.#pods.ownAddresses(slot);
    const touched = [...new Set([...before, ...pod.addresses])];
    const classBefore = this.#pods.podClass(slot);
    this.#whileOwnersChange(touched, () => {
      for (const ip of before) this.#claims.withdraw(ip, slot);
      this.#classes.removePod(classBefore, slot);
      this.#pods.update(slot, pod, podClass);
      this.#classes.addPod(podClass, slot);
      this.#claim(slot);
    });
    this.#tidyClass(classBefore);
  }

  deletePod(namespace: string, name: string): void {
    const record = this.#namespaces.find(namespace);
    const slot = record && this.#pods.find(record, name);
    if (record === undefined || slot === undefined) return;
    const addresses = this.#pods.ownAddresses(slot);
    const podClass = this.#pods.podClass(slot);
    this.#whileOwnersChange(addresses, () => {
      for (const ip of addresses) this.#claims.withdraw(ip, slot);
      this.#classes.removePod(podClass, slot);
      this.#pods.delete(slot);
    });
    this.#tidyClass(podClass);
    this.#namespaces.tidy(record);
  }

  putNamespace({ name, labels }: PolicyNamespace): void {
    this.#relabel(this.#namespaces.obtain(name), labels);
  }

  deleteNamespace(name: string): void {
    const record = this.#namespaces.find(name);
    if (record === undefined) return;
    this.#relabel(record, undefined);
    this.#namespaces.tidy(record);
  }

  /** In the order of the peers, with one use more for each. */
  takeSelectors(peers: readonly PodPeer[]): readonly PeerSelector[] {
    return this.#selectors.take(peers);
  }

  dropSelectors(selectors: readonly PeerSelector[]): void {
    this.#selectors.drop(selectors);
  }

  /** Addresses of what any of the selectors selects, each once. */
  forEachSelected(selectors: ReadonlyMap<PeerSelector, unknown>, visit: (ip: Ip, facts: AddressFacts) => void): void {
    for (const id of this.#selectors.classesOfAny(selectors)) this.#forEachOwned(id, this.#classes.tag(id), visit);
  }

  forEachAddress(visit: (ip: Ip, facts: AddressFacts) => void): void {
    for (const [ip, slot] of this.#claims.owners()) visit(ip, this.#facts(slot));
  }

  pod(namespace: string, name: string): PolicyPod | undefined {
    const record = this.#namespaces.find(namespace);
    const slot = record && this.#pods.find(record, name);
    return slot === undefined ? undefined : this.#pods.read(slot);
  }

  podOwning(ip: Ip): PolicyPod | undefined {
    const slot = this.#claims.owner(ip);
    return slot === undefined ? undefined : this.#pods.read(slot);
  }

  namespace(name: string): PolicyNamespace | undefined {
    const labels = this.#namespaces.find(name)?.labels;
    return labels === undefined ? undefined : { name, labels };
  }

  #classFor(namespace: NamespaceRecord, labels: Labels): ClassId {
    const known = this.#classes.find(namespace, labels);
    if (known !== undefined) return known;
    const id = this.#classes.create(namespace, labels);
    this.#selectors.admit(id);
    return id;
  }

  #tidyClass(id: ClassId): void {
    if (!this.#classes.isEmpty(id)) return;
    this.#selectors.dismiss(id);
    this.#classes.delete(id);
  }

  #claim(slot: PodSlot): void {
    for (const ip of this.#pods.ownAddresses(slot)) this.#claims.claim(ip, slot);
  }

  #whileOwnersChange(addresses: readonly Ip[], change: () => void): void {
    const before = addresses.map((ip) => this.#factsOf(ip));
    change();
    for (let index = 0; index < addresses.length; index++) {
      const ip = addresses[index] as Ip;
      const old = before[index];
      const now = this.#factsOf(ip);
      if (old?.selection !== now?.selection || old?.ports !== now?.ports) this.#changed(ip, old, now);
    }
  }

  #relabel(record: NamespaceRecord, labels: Labels | undefined): void {
    this.#namespaces.relabel(record, labels);
    this.#selectors.relabelled(record, (id, before, after) => {
      this.#forEachOwned(id, after, (ip, facts) => this.#changed(ip, { ...facts, selection: before }, facts));
    });
  }

  #forEachOwned(id: ClassId, selection: Selection, visit: (ip: Ip, facts: AddressFacts) => void): void {
    this.#classes.forEachPod(id, (slot) => {
      const ports = this.#pods.ports(slot);
      for (const ip of this.#pods.ownAddresses(slot)) {
        if (this.#claims.owner(ip) === slot) visit(ip, { selection, ports });
      }
    });
  }

  #factsOf(ip: Ip): AddressFacts | undefined {
    const slot = this.#claims.owner(ip);
    return slot === undefined ? undefined : this.#facts(slot);
  }

  #facts(slot: PodSlot): AddressFacts {
    return { selection: this.#classes.tag(this.#pods.podClass(slot)), ports: this.#pods.ports(slot) };
  }
}
