/** All pods of the cluster in columns: few objects a pod, so that 150,000 of them cost neither memory nor pauses. */
import type { NamedPort, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';
import { type Interned, InternPool } from './intern-pool.ts';
import type { NamespaceRecord } from './namespace-table.ts';
import { portListText } from './port-list.ts';
import type { ClassId, PodClasses } from './pod-classes.ts';

/** Slots are given again once they are free. */
export type PodSlot = number;

const HOST_NETWORK = 1;
const COMPLETED = 2;
const NO_ADDRESSES: readonly Ip[] = [];

export class PodTable {
  readonly #classes: PodClasses<unknown>;
  readonly #portLists = new InternPool<readonly NamedPort[]>();
  readonly #nodes = new InternPool<string>();
  readonly #namespaces: NamespaceRecord[] = [];
  readonly #names: string[] = [];
  readonly #uids: string[] = [];
  readonly #classOf: ClassId[] = [];
  readonly #ports: Interned<readonly NamedPort[]>[] = [];
  readonly #node: Interned<string>[] = [];
  readonly #flags: number[] = [];
  readonly #created: number[] = [];
  /** One address as it is, several as a list. */
  readonly #addresses: (Ip | readonly Ip[])[] = [];
  readonly #free: PodSlot[] = [];

  constructor(classes: PodClasses<unknown>) {
    this.#classes = classes;
  }

  create(namespace: NamespaceRecord, pod: PolicyPod, podClass: ClassId): PodSlot {
    const slot = this.#free.pop() ?? this.#names.length;
    this.#namespaces[slot] = namespace;
    this.#names[slot] = pod.name;
    namespace.pods.set(pod.name, slot);
    this.#write(slot, pod, podClass);
    return slot;
  }

  update(slot: PodSlot, pod: PolicyPod, podClass: ClassId): void {
    this.#dropShared(slot);
    this.#write(slot, pod, podClass);
  }

  delete(slot: PodSlot): void {
    this.#dropShared(slot);
    this.namespace(slot).pods.delete(this.#names[slot] as string);
    this.#names[slot] = '';
    this.#uids[slot] = '';
    this.#addresses[slot] = NO_ADDRESSES;
    this.#free.push(slot);
  }

  namespace(slot: PodSlot): NamespaceRecord {
    return this.#namespaces[slot] as NamespaceRecord;
  }

  podClass(slot: PodSlot): ClassId {
    return this.#classOf[slot] as ClassId;
  }

  /** Equal lists are one object. */
  ports(slot: PodSlot): readonly NamedPort[] {
    return (this.#ports[slot] as Interned<readonly NamedPort[]>).value;
  }

  /** Addresses that are its own: of a live pod that does not use its node's. Each once. */
  ownAddresses(slot: PodSlot): readonly Ip[] {
    return this.#flags[slot] === 0 ? this.#addressList(slot) : NO_ADDRESSES;
  }

  /** Whether the pod is written in the slot as it is. */
  holds(slot: PodSlot, pod: PolicyPod, podClass: ClassId): boolean {
    const addresses = this.#addressList(slot);
    return (
      this.#classOf[slot] === podClass &&
      this.#uids[slot] === pod.uid &&
      this.#flags[slot] === flagsOf(pod) &&
      this.#created[slot] === pod.createdMs &&
      this.#node[slot]?.key === pod.node &&
      this.#ports[slot]?.key === portListText(pod.ports) &&
      addresses.length === pod.addresses.length &&
      addresses.every((ip, index) => ip === pod.addresses[index])
    );
  }

  isYounger(pod: PodSlot, than: PodSlot): boolean {
    const byAge = (this.#created[pod] as number) - (this.#created[than] as number);
    if (byAge !== 0) return byAge > 0;
    return compareParts(this.#identity(pod), this.#identity(than)) > 0;
  }

  read(slot: PodSlot): PolicyPod {
    const flags = this.#flags[slot] as number;
    return {
      namespace: this.namespace(slot).name,
      name: this.#names[slot] as string,
      uid: this.#uids[slot] as string,
      labels: this.#classes.labels(this.podClass(slot)),
      addresses: this.#addressList(slot),
      node: (this.#node[slot] as Interned<string>).value,
      hostNetwork: (flags & HOST_NETWORK) !== 0,
      completed: (flags & COMPLETED) !== 0,
      ports: this.ports(slot),
      createdMs: this.#created[slot] as number,
    };
  }

  #write(slot: PodSlot, pod: PolicyPod, podClass: ClassId): void {
    this.#uids[slot] = pod.uid;
    this.#classOf[slot] = podClass;
    this.#ports[slot] = this.#portLists.take(portListText(pod.ports), () => pod.ports);
    this.#node[slot] = this.#nodes.take(pod.node, () => pod.node);
    this.#flags[slot] = flagsOf(pod);
    this.#created[slot] = pod.createdMs;
    const [first] = pod.addresses;
    this.#addresses[slot] = pod.addresses.length === 1 && first !== undefined ? first : [...new Set(pod.addresses)];
  }

  #dropShared(slot: PodSlot): void {
    this.#portLists.drop(this.#ports[slot] as Interned<readonly NamedPort[]>);
    this.#nodes.drop(this.#node[slot] as Interned<string>);
  }

  #addressList(slot: PodSlot): readonly Ip[] {
    const addresses = this.#addresses[slot] as Ip | readonly Ip[];
    return typeof addresses === 'object' ? addresses : [addresses];
  }

  /** Only made-up pods have one uid with two names. */
  #identity(slot: PodSlot): readonly string[] {
    return [this.#uids[slot] as string, this.namespace(slot).name, this.#names[slot] as string];
  }
}

function flagsOf(pod: PolicyPod): number {
  return (pod.hostNetwork ? HOST_NETWORK : 0) | (pod.completed ? COMPLETED : 0);
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index] ?? '';
    if (part !== other) return part < other ? -1 : 1;
  }
  return 0;
}
