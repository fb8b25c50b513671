import { type Labels, type LabelSelector, type NetworkPolicy, selects } from '@canal/model';
import { selectorText } from './allow-peer.ts';

/** Policies by namespace. */
export class PolicyTable {
  readonly #namespaces = new Map<string, NamespacePolicies>();
  #nextId = 1;

  find(namespace: string, name: string): NetworkPolicy | undefined {
    return this.#namespaces.get(namespace)?.byName.get(name)?.policy;
  }

  put(policy: NetworkPolicy): void {
    const { namespace, name } = policy;
    this.delete(namespace, name);
    let own = this.#namespaces.get(namespace);
    if (own === undefined) this.#namespaces.set(namespace, (own = { byName: new Map(), groups: new Map() }));
    const text = selectorText(policy.podSelector);
    let group = own.groups.get(text);
    if (group === undefined) {
      group = { id: this.#nextId++, text, selector: policy.podSelector, policies: 0 };
      own.groups.set(text, group);
    }
    group.policies++;
    own.byName.set(name, { policy, group });
    own.inOrder = undefined;
  }

  delete(namespace: string, name: string): void {
    const own = this.#namespaces.get(namespace);
    const entry = own?.byName.get(name);
    if (own === undefined || entry === undefined) return;
    own.byName.delete(name);
    own.inOrder = undefined;
    if (--entry.group.policies === 0) own.groups.delete(entry.group.text);
    if (own.byName.size === 0) this.#namespaces.delete(namespace);
  }

  /** In order of name. */
  of(namespace: string): readonly NetworkPolicy[] {
    const own = this.#namespaces.get(namespace);
    return own === undefined ? [] : inOrder(own).map(({ policy }) => policy);
  }

  /** Those whose podSelector selects such pods, in order of name. */
  selecting(namespace: string, labels: Labels): readonly NetworkPolicy[] {
    const own = this.#namespaces.get(namespace);
    if (own === undefined) return [];
    const groups = new Set(groupsSelecting(own, labels));
    if (groups.size === 0) return [];
    return inOrder(own).flatMap(({ policy, group }) => (groups.has(group) ? [policy] : []));
  }

  /** Equal for all pods of the namespace that the same policies select, until one of its policies comes or goes. */
  selectingKey(namespace: string, labels: Labels): string {
    const own = this.#namespaces.get(namespace);
    return own === undefined
      ? ''
      : groupsSelecting(own, labels)
          .map(({ id }) => id)
          .join(',');
  }

  /** In order of namespace and name. */
  *all(): Iterable<NetworkPolicy> {
    for (const namespace of [...this.#namespaces.keys()].sort()) yield* this.of(namespace);
  }
}

interface NamespacePolicies {
  readonly byName: Map<string, PolicyEntry>;
  /** By the text of their selector: many policies of a namespace select the same pods. */
  readonly groups: Map<string, SelectorGroup>;
  inOrder?: readonly PolicyEntry[] | undefined;
}

interface PolicyEntry {
  readonly policy: NetworkPolicy;
  readonly group: SelectorGroup;
}

interface SelectorGroup {
  readonly id: number;
  readonly text: string;
  readonly selector: LabelSelector;
  policies: number;
}

function inOrder(own: NamespacePolicies): readonly PolicyEntry[] {
  return (own.inOrder ??= [...own.byName.values()].sort((a, b) => (a.policy.name < b.policy.name ? -1 : 1)));
}

function groupsSelecting(own: NamespacePolicies, labels: Labels): readonly SelectorGroup[] {
  return [...own.groups.values()].filter(({ selector }) => selects(selector, labels));
}
