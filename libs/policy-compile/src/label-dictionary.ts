/** Labels as small numbers, each as long as a pod or a selector uses it. */

/** Of one key with one value. Numbers are given again once they are free. */
export type LabelId = number;

export interface LabelKey {
  readonly name: string;
  readonly values: Map<string, LabelId>;
  holders: number;
}

export class LabelDictionary {
  readonly #keys = new Map<string, LabelKey>();
  readonly #keyOf: LabelKey[] = [];
  readonly #values: string[] = [];
  readonly #uses: number[] = [];
  readonly #free: LabelId[] = [];

  find(key: string, value: string): LabelId | undefined {
    return this.#keys.get(key)?.values.get(value);
  }

  /** One use more. */
  take(key: string, value: string): LabelId {
    const owner = this.#key(key);
    let id = owner.values.get(value);
    if (id === undefined) {
      id = this.#free.pop() ?? this.#values.length;
      owner.values.set(value, id);
      this.#keyOf[id] = owner;
      this.#values[id] = value;
      this.#uses[id] = 0;
    }
    this.#uses[id] = (this.#uses[id] ?? 0) + 1;
    return id;
  }

  drop(id: LabelId): void {
    const uses = (this.#uses[id] ?? 0) - 1;
    this.#uses[id] = uses;
    if (uses > 0) return;
    const owner = this.keyOf(id);
    owner.values.delete(this.valueOf(id));
    this.#values[id] = '';
    this.#free.push(id);
    this.#tidy(owner);
  }

  /** The key itself, whether or not a pod has it: it is compared by identity while it is held. */
  holdKey(name: string): LabelKey {
    const key = this.#key(name);
    key.holders++;
    return key;
  }

  releaseKey(key: LabelKey): void {
    key.holders--;
    this.#tidy(key);
  }

  keyOf(id: LabelId): LabelKey {
    return this.#keyOf[id] as LabelKey;
  }

  valueOf(id: LabelId): string {
    return this.#values[id] as string;
  }

  #key(name: string): LabelKey {
    let key = this.#keys.get(name);
    if (key === undefined) this.#keys.set(name, (key = { name, values: new Map(), holders: 0 }));
    return key;
  }

  #tidy(key: LabelKey): void {
    if (key.values.size === 0 && key.holders === 0) this.#keys.delete(key.name);
  }
}
