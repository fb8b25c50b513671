/** All pods of the cluster in columns: few objects a pod, so that 150,000 of them cost neither memory nor pauses. */
import type { NamedPort, PolicyPod } from '@canal/model';
import type { Ip } from 'net-types';
import { Column } from './column.ts';
import { type Interned, InternPool } from './intern-pool.ts';
import type { NamespaceRecord } from './namespace-table.ts';
import { portListText } from './port-list.ts';
import { SlotIndex } from './slot-index.ts';
import { UidColumn } from './uid-column.ts';
import type { ClassId, PodClasses } from './pod-classes.ts';

/** Slots are given again once they are free. */
export type PodSlot = number;

const HOST_NETWORK = 1;
const COMPLETED = 2;
const DELETING = 4;
const NO_ADDRESSES: readonly Ip[] = [];

export class PodTable {
  readonly #classes: PodClasses<unknown>;
  readonly #portLists = new InternPool<readonly NamedPort[]>();
  readonly #nodes = new InternPool<string>();
  readonly #byName = new SlotIndex((slot) => nameHash(this.#namespace(slot), this.#name(slot)));
  readonly #names: string[] = [];
  readonly #uids = new UidColumn();
  readonly #classOf = new Column((length) => new Uint32Array(length));
  readonly #ports: Interned<readonly NamedPort[]>[] = [];
  readonly #node: Interned<string>[] = [];
  readonly #flags = new Column((length) => new Uint8Array(length));
  readonly #created = new Column((length) => new Float64Array(length));
  /** One address as it is, several as a list. */
  readonly #addresses: (Ip | readonly Ip[])[] = [];
  readonly #free: PodSlot[] = [];

  constructor(classes: PodClasses<unknown>) {
    this.#classes = classes;
  }

  find(namespace: NamespaceRecord, name: string): PodSlot | undefined {
    return this.#byName.find(
      nameHash(namespace, name),
      (slot) => this.#names[slot] === name && this.#namespace(slot) === namespace,
    );
  }

  /** There must be none of its name in the class's namespace. */
  create(pod: PolicyPod, podClass: ClassId): PodSlot {
    const slot = this.#free.pop() ?? this.#names.length;
    this.#names[slot] = pod.name;
    this.#write(slot, pod, podClass);
    const namespace = this.#namespace(slot);
    this.#byName.add(nameHash(namespace, pod.name), slot);
    namespace.pods++;
    return slot;
  }

  /** The class must be of the namespace that it has been of. */
  update(slot: PodSlot, pod: PolicyPod, podClass: ClassId): void {
    this.#dropShared(slot);
    this.#write(slot, pod, podClass);
  }

  delete(slot: PodSlot): void {
    const namespace = this.#namespace(slot);
    this.#byName.remove(nameHash(namespace, this.#name(slot)), slot);
    namespace.pods--;
    this.#dropShared(slot);
    this.#names[slot] = '';
    this.#uids.clear(slot);
    this.#addresses[slot] = NO_ADDRESSES;
    this.#free.push(slot);
  }

  podClass(slot: PodSlot): ClassId {
    return this.#classOf.get(slot);
  }

  /** Equal lists are one object. */
  ports(slot: PodSlot): readonly NamedPort[] {
    return (this.#ports[slot] as Interned<readonly NamedPort[]>).value;
  }

  /** Addresses that are its own: of a live pod that does not use its node's. Each once. */
  ownAddresses(slot: PodSlot): readonly Ip[] {
    return (this.#flags.get(slot) & (HOST_NETWORK | COMPLETED)) === 0 ? this.#addressList(slot) : NO_ADDRESSES;
  }

  /** Whether the pod is written in the slot as it is. */
  holds(slot: PodSlot, pod: PolicyPod, podClass: ClassId): boolean {
    const addresses = this.#addressList(slot);
    return (
      this.#classOf.get(slot) === podClass &&
      this.#uids.is(slot, pod.uid) &&
      this.#flags.get(slot) === flagsOf(pod) &&
      this.#created.get(slot) === pod.createdMs &&
      this.#node[slot]?.key === pod.node &&
      this.#ports[slot]?.key === portListText(pod.ports) &&
      addresses.length === pod.addresses.length &&
      addresses.every((ip, index) => ip === pod.addresses[index])
    );
  }

  /** Whether an address is the pod's which the other says is its own too. */
  prevails(pod: PodSlot, over: PodSlot): boolean {
    const byState = (this.#flags.get(over) & DELETING) - (this.#flags.get(pod) & DELETING);
    if (byState !== 0) return byState > 0;
    const byAge = this.#created.get(pod) - this.#created.get(over);
    if (byAge !== 0) return byAge > 0;
    return compareParts(this.#identity(pod), this.#identity(over)) > 0;
  }

  read(slot: PodSlot): PolicyPod {
    const flags = this.#flags.get(slot);
    return {
      namespace: this.#namespace(slot).name,
      name: this.#name(slot),
      uid: this.#uids.get(slot),
      labels: this.#classes.labels(this.podClass(slot)),
      addresses: this.#addressList(slot),
      node: (this.#node[slot] as Interned<string>).value,
      hostNetwork: (flags & HOST_NETWORK) !== 0,
      completed: (flags & COMPLETED) !== 0,
      ports: this.ports(slot),
      createdMs: this.#created.get(slot),
      ...((flags & DELETING) !== 0 && { deleting: true }),
    };
  }

  #write(slot: PodSlot, pod: PolicyPod, podClass: ClassId): void {
    this.#uids.set(slot, pod.uid);
    this.#classOf.set(slot, podClass);
    this.#ports[slot] = this.#portLists.take(portListText(pod.ports), () => pod.ports);
    this.#node[slot] = this.#nodes.take(pod.node, () => pod.node);
    this.#flags.set(slot, flagsOf(pod));
    this.#created.set(slot, pod.createdMs);
    const first = pod.addresses[0];
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

  #namespace(slot: PodSlot): NamespaceRecord {
    return this.#classes.namespace(this.podClass(slot));
  }

  #name(slot: PodSlot): string {
    return this.#names[slot] as string;
  }

  /** Only made-up pods have one uid with two names. */
  #identity(slot: PodSlot): readonly string[] {
    return [this.#uids.get(slot), this.#namespace(slot).name, this.#name(slot)];
  }
}

function nameHash({ id }: NamespaceRecord, name: string): number {
  let hash = id;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x0100_0193);
  return hash ^ (hash >>> 15);
}

function flagsOf(pod: PolicyPod): number {
  const deleting = pod.deleting === true ? DELETING : 0;
  return (pod.hostNetwork ? HOST_NETWORK : 0) | (pod.completed ? COMPLETED : 0) | deleting;
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index] ?? '';
    if (part !== other) return part < other ? -1 : 1;
  }
  return 0;
}
