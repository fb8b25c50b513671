/** Namespaces by name and by label. A record is there as soon as anything is in the namespace, or means it. */
import { type Labels, type LabelSelector, selects } from '@canal/model';

export interface NamespaceRecord {
  readonly id: number;
  readonly name: string;
  /** Undefined: the API did not tell of it, so that no namespace selector selects it. */
  labels: Labels | undefined;
  /** How many pods there are of it. */
  pods: number;
  /** Classes of its pods, in no order. */
  readonly classes: number[];
  /** Keep the record without pods. */
  holders: number;
}

export class NamespaceTable {
  readonly #records = new Map<string, NamespaceRecord>();
  readonly #byLabel = new Map<string, Map<string, Set<NamespaceRecord>>>();
  #nextId = 1;

  find(name: string): NamespaceRecord | undefined {
    return this.#records.get(name);
  }

  obtain(name: string): NamespaceRecord {
    let record = this.#records.get(name);
    if (record === undefined) {
      record = { id: this.#nextId++, name, labels: undefined, pods: 0, classes: [], holders: 0 };
      this.#records.set(name, record);
    }
    return record;
  }

  /** Forgets the record when nothing needs it. */
  tidy(record: NamespaceRecord): void {
    if (record.labels === undefined && record.pods === 0 && record.holders === 0) {
      this.#records.delete(record.name);
    }
  }

  relabel(record: NamespaceRecord, labels: Labels | undefined): void {
    for (const [key, value] of Object.entries(record.labels ?? {})) this.#unlist(record, key, value);
    record.labels = labels;
    for (const [key, value] of Object.entries(labels ?? {})) {
      let values = this.#byLabel.get(key);
      if (values === undefined) this.#byLabel.set(key, (values = new Map<string, Set<NamespaceRecord>>()));
      const records = values.get(value);
      if (records === undefined) values.set(value, new Set([record]));
      else records.add(record);
    }
  }

  *selectedBy(selector: LabelSelector): Iterable<NamespaceRecord> {
    for (const record of this.#candidates(selector)) {
      if (record.labels !== undefined && selects(selector, record.labels)) yield record;
    }
  }

  /** A superset of what the selector selects, each once. */
  #candidates(selector: LabelSelector): Iterable<NamespaceRecord> {
    for (const requirement of selector) {
      if (requirement.operator !== 'In') continue;
      const values = this.#byLabel.get(requirement.key);
      return [...new Set(requirement.values)].flatMap((value) => [...(values?.get(value) ?? [])]);
    }
    return this.#records.values();
  }

  #unlist(record: NamespaceRecord, key: string, value: string): void {
    const values = this.#byLabel.get(key);
    const records = values?.get(value);
    records?.delete(record);
    if (records?.size === 0) values?.delete(value);
    if (values?.size === 0) this.#byLabel.delete(key);
  }
}
