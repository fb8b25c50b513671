/**
 * Pods that no selector can tell apart: of one namespace and with equal labels. Selectors are asked about classes, and a
 * pod that comes into a class that is there costs no question at all.
 */
import type { Labels } from '@canal/model';
import { Column } from './column.ts';
import type { LabelDictionary, LabelId } from './label-dictionary.ts';
import type { NamespaceRecord } from './namespace-table.ts';

export type ClassId = number;

/** `Tag` is whatever the owner of the selectors keeps of each class. */
export class PodClasses<Tag> {
  readonly #dictionary: LabelDictionary;
  // Columns by class.
  readonly #namespaces: NamespaceRecord[] = [];
  readonly #placeInNamespace: number[] = [];
  /** Label ids ascending, then for each of them the place in the list of its classes. */
  readonly #labels: number[][] = [];
  readonly #tags: (Tag | undefined)[] = [];
  readonly #hashes: number[] = [];
  readonly #nextOfHash: ClassId[] = [];
  readonly #firstPod: number[] = [];
  readonly #free: ClassId[] = [];
  readonly #byHash = new Map<number, ClassId>();
  /** Classes by label id, in no order. */
  readonly #byLabel: (ClassId[] | undefined)[] = [];
  // Columns by pod: neighbours in the class, -1 at the ends.
  readonly #nextPod = new Column((length) => new Int32Array(length));
  readonly #previousPod = new Column((length) => new Int32Array(length));

  constructor(dictionary: LabelDictionary) {
    this.#dictionary = dictionary;
  }

  find(namespace: NamespaceRecord, labels: Labels): ClassId | undefined {
    const ids: LabelId[] = [];
    for (const key in labels) {
      const id = this.#dictionary.find(key, labels[key] as string);
      if (id === undefined) return undefined;
      ids.push(id);
    }
    ids.sort(ascending);
    let candidate = this.#byHash.get(hashOf(namespace, ids)) ?? -1;
    while (candidate >= 0 && !this.#is(candidate, namespace, ids)) candidate = this.#nextOfHash[candidate] as ClassId;
    return candidate < 0 ? undefined : candidate;
  }

  /** A class without pods, which must not be there yet. */
  create(namespace: NamespaceRecord, labels: Labels): ClassId {
    const ids: LabelId[] = [];
    for (const key in labels) ids.push(this.#dictionary.take(key, labels[key] as string));
    ids.sort(ascending);
    const id = this.#free.pop() ?? this.#hashes.length;
    const hash = hashOf(namespace, ids);
    this.#namespaces[id] = namespace;
    this.#placeInNamespace[id] = namespace.classes.push(id) - 1;
    this.#labels[id] = ids.concat(ids.map((label) => this.#list(label, id)));
    this.#tags[id] = undefined;
    this.#hashes[id] = hash;
    this.#nextOfHash[id] = this.#byHash.get(hash) ?? -1;
    this.#byHash.set(hash, id);
    this.#firstPod[id] = -1;
    return id;
  }

  /** It must have no pods. */
  delete(id: ClassId): void {
    const namespace = this.namespace(id);
    const place = this.#placeInNamespace[id] as number;
    const last = namespace.classes.pop() as ClassId;
    if (last !== id) {
      namespace.classes[place] = last;
      this.#placeInNamespace[last] = place;
    }
    this.#unhash(id);
    const labels = this.#labels[id] as number[];
    const count = labels.length / 2;
    for (let index = 0; index < count; index++) {
      this.#unlist(labels[index] as LabelId, labels[count + index] as number);
      this.#dictionary.drop(labels[index] as LabelId);
    }
    this.#labels[id] = [];
    this.#tags[id] = undefined;
    this.#free.push(id);
  }

  namespace(id: ClassId): NamespaceRecord {
    return this.#namespaces[id] as NamespaceRecord;
  }

  tag(id: ClassId): Tag {
    return this.#tags[id] as Tag;
  }

  setTag(id: ClassId, tag: Tag): void {
    this.#tags[id] = tag;
  }

  labels(id: ClassId): Labels {
    const labels: Record<string, string> = {};
    const own = this.#labels[id] as number[];
    for (let index = 0; index < own.length / 2; index++) {
      const label = own[index] as LabelId;
      labels[this.#dictionary.keyOf(label).name] = this.#dictionary.valueOf(label);
    }
    return labels;
  }

  /** Label ids, then as many other numbers: for `LabelMatcher` alone. */
  packedLabels(id: ClassId): readonly number[] {
    return this.#labels[id] as number[];
  }

  withLabel(label: LabelId): readonly ClassId[] {
    return this.#byLabel[label] ?? [];
  }

  addPod(id: ClassId, pod: number): void {
    const next = this.#firstPod[id] as number;
    this.#nextPod.set(pod, next);
    this.#previousPod.set(pod, -1);
    if (next >= 0) this.#previousPod.set(next, pod);
    this.#firstPod[id] = pod;
  }

  removePod(id: ClassId, pod: number): void {
    const next = this.#nextPod.get(pod);
    const previous = this.#previousPod.get(pod);
    if (next >= 0) this.#previousPod.set(next, previous);
    if (previous >= 0) this.#nextPod.set(previous, next);
    else this.#firstPod[id] = next;
  }

  isEmpty(id: ClassId): boolean {
    return this.#firstPod[id] === -1;
  }

  forEachPod(id: ClassId, visit: (pod: number) => void): void {
    for (let pod = this.#firstPod[id] as number; pod >= 0; pod = this.#nextPod.get(pod)) visit(pod);
  }

  #is(id: ClassId, namespace: NamespaceRecord, ids: readonly LabelId[]): boolean {
    const labels = this.#labels[id] as number[];
    return (
      this.#namespaces[id] === namespace &&
      labels.length === ids.length * 2 &&
      ids.every((label, index) => label === labels[index])
    );
  }

  #unhash(id: ClassId): void {
    const hash = this.#hashes[id] as number;
    const next = this.#nextOfHash[id] as ClassId;
    let before = this.#byHash.get(hash) as ClassId;
    if (before === id) {
      if (next < 0) this.#byHash.delete(hash);
      else this.#byHash.set(hash, next);
      return;
    }
    while (this.#nextOfHash[before] !== id) before = this.#nextOfHash[before] as ClassId;
    this.#nextOfHash[before] = next;
  }

  #list(label: LabelId, id: ClassId): number {
    const classes = this.#byLabel[label];
    if (classes !== undefined) return classes.push(id) - 1;
    this.#byLabel[label] = [id];
    return 0;
  }

  #unlist(label: LabelId, place: number): void {
    const classes = this.#byLabel[label] as ClassId[];
    const last = classes.pop() as ClassId;
    if (classes.length === 0) this.#byLabel[label] = undefined;
    if (place >= classes.length) return;
    classes[place] = last;
    const labels = this.#labels[last] as number[];
    labels[labels.length / 2 + labels.indexOf(label)] = place;
  }
}

function hashOf(namespace: NamespaceRecord, ids: readonly LabelId[]): number {
  let hash = namespace.id;
  for (const id of ids) hash = Math.imul(hash ^ id, 0x9e37_79b1) ^ (hash >>> 15);
  return hash;
}

function ascending(a: number, b: number): number {
  return a - b;
}
