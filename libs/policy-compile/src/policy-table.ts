import type { NetworkPolicy } from '@canal/model';

/** Policies by namespace. */
export class PolicyTable {
  readonly #policies = new Map<string, Map<string, NetworkPolicy>>();
  readonly #ordered = new Map<string, readonly NetworkPolicy[]>();

  find(namespace: string, name: string): NetworkPolicy | undefined {
    return this.#policies.get(namespace)?.get(name);
  }

  put(policy: NetworkPolicy): void {
    const own = this.#policies.get(policy.namespace);
    if (own === undefined) this.#policies.set(policy.namespace, new Map([[policy.name, policy]]));
    else own.set(policy.name, policy);
    this.#ordered.delete(policy.namespace);
  }

  delete(namespace: string, name: string): void {
    const own = this.#policies.get(namespace);
    own?.delete(name);
    if (own?.size === 0) this.#policies.delete(namespace);
    this.#ordered.delete(namespace);
  }

  /** In order of name. */
  of(namespace: string): readonly NetworkPolicy[] {
    let ordered = this.#ordered.get(namespace);
    if (ordered === undefined) {
      const own = this.#policies.get(namespace);
      if (own === undefined) return [];
      ordered = [...own.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      this.#ordered.set(namespace, ordered);
    }
    return ordered;
  }

  *all(): Iterable<NetworkPolicy> {
    for (const own of this.#policies.values()) yield* own.values();
  }
}
