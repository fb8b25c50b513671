/** Selectors that rules use, and which classes of pods each selects: kept while pods, labels and selectors change. */
import { selects } from '@canal/model';
import { type PodPeer, selectorText } from './allow-peer.ts';
import type { LabelDictionary, LabelId } from './label-dictionary.ts';
import { LabelMatcher } from './label-matcher.ts';
import type { NamespaceRecord, NamespaceTable } from './namespace-table.ts';
import type { PeerSelector, Scope } from './peer-selector.ts';
import type { ClassId, PodClasses } from './pod-classes.ts';
import { type Selection, Selections } from './selection.ts';

export class PeerSelectors {
  readonly #dictionary: LabelDictionary;
  readonly #namespaces: NamespaceTable;
  readonly #classes: PodClasses<Selection>;
  readonly #selections = new Selections();
  readonly #selectors = new Map<string, PeerSelector>();
  readonly #scopes = new Map<string, Scope>();
  /** Scopes by namespace that is one of theirs. */
  readonly #scopesOf = new Map<NamespaceRecord, Set<Scope>>();
  #nextId = 1;

  constructor(dictionary: LabelDictionary, namespaces: NamespaceTable, classes: PodClasses<Selection>) {
    this.#dictionary = dictionary;
    this.#namespaces = namespaces;
    this.#classes = classes;
  }

  /** The selectors of the peers in their order, each with one use more. */
  take(peers: readonly PodPeer[]): readonly PeerSelector[] {
    const fresh: PeerSelector[] = [];
    const taken = peers.map((peer) => {
      let selector = this.#selectors.get(peer.text);
      if (selector === undefined) fresh.push((selector = this.#create(peer)));
      selector.uses++;
      return selector;
    });
    const candidates = this.#candidatesToReadmit(fresh);
    if (candidates !== undefined) this.#readmit(candidates);
    else for (const selector of fresh) this.#retag(selector, (before, own) => [...before, own]);
    return taken;
  }

  drop(selectors: readonly PeerSelector[]): void {
    const unused = selectors.filter((selector) => --selector.uses === 0);
    const candidates = this.#candidatesToReadmit(unused);
    for (const selector of unused) {
      if (candidates === undefined)
        this.#retag(selector, (before, own) => [...before].filter((other) => other !== own));
      this.#delete(selector);
    }
    if (candidates !== undefined) this.#readmit(candidates);
  }

  /** Asks the selectors about a class that has just been made. */
  admit(id: ClassId): void {
    this.#classes.setTag(id, this.#selections.take(this.#selecting(id)));
  }

  dismiss(id: ClassId): void {
    this.#selections.drop(this.#classes.tag(id));
  }

  /** The classes that any of them selects, each once. */
  *classesOfAny(selectors: ReadonlyMap<PeerSelector, unknown>): Iterable<ClassId> {
    if (selectors.size === 1) {
      for (const selector of selectors.keys()) yield* this.#classesOf(selector);
      return;
    }
    for (const id of this.#candidatesOfAny(selectors.keys())) {
      if (!this.#classes.tag(id).value.isDisjointFrom(selectors)) yield id;
    }
  }

  /** The classes that it selects, each once. */
  *#classesOf({ scope, matcher }: PeerSelector): Iterable<ClassId> {
    for (const id of this.#candidates(scope, matcher.demanded)) {
      if (matcher.matches(this.#classes.packedLabels(id))) yield id;
    }
  }

  /** After the namespace's labels changed; tells of each class of it that other selectors select now. */
  relabelled(namespace: NamespaceRecord, changed: (id: ClassId, before: Selection, after: Selection) => void): void {
    let moved = false;
    for (const scope of this.#scopes.values()) {
      const { selector, namespaces } = scope;
      if (selector === undefined) continue;
      const selected = namespace.labels !== undefined && selects(selector, namespace.labels);
      if (selected === namespaces.has(namespace)) continue;
      moved = true;
      if (selected) this.#enter(scope, namespace);
      else this.#leave(scope, namespace);
    }
    if (!moved) return;
    for (const id of namespace.classes) {
      const before = this.#classes.tag(id);
      this.admit(id);
      const after = this.#classes.tag(id);
      if (before !== after) changed(id, before, after);
      this.#selections.drop(before);
    }
  }

  #create(peer: PodPeer): PeerSelector {
    const scope = this.#scope(peer);
    scope.uses++;
    const matcher = new LabelMatcher(peer.pods, this.#dictionary);
    const selector: PeerSelector = { id: this.#nextId++, text: peer.text, scope, matcher, uses: 0 };
    this.#selectors.set(peer.text, selector);
    for (const label of matcher.demanded ?? [undefined]) {
      const selectors = scope.byLabel.get(label);
      if (selectors === undefined) scope.byLabel.set(label, new Set([selector]));
      else selectors.add(selector);
    }
    return selector;
  }

  #delete(selector: PeerSelector): void {
    const { scope, matcher } = selector;
    for (const label of matcher.demanded ?? [undefined]) {
      const selectors = scope.byLabel.get(label);
      selectors?.delete(selector);
      if (selectors?.size === 0) scope.byLabel.delete(label);
    }
    matcher.release();
    this.#selectors.delete(selector.text);
    this.#dropScope(scope);
  }

  #scope({ namespaces }: PodPeer): Scope {
    const text = typeof namespaces === 'string' ? namespaces : selectorText(namespaces);
    let scope = this.#scopes.get(text);
    if (scope !== undefined) return scope;
    const selector = typeof namespaces === 'string' ? undefined : namespaces;
    scope = { text, selector, namespaces: new Set(), byLabel: new Map(), uses: 0 };
    this.#scopes.set(text, scope);
    if (typeof namespaces === 'string') this.#enter(scope, this.#namespaces.obtain(namespaces));
    else for (const namespace of this.#namespaces.selectedBy(namespaces)) this.#enter(scope, namespace);
    return scope;
  }

  #dropScope(scope: Scope): void {
    if (--scope.uses > 0) return;
    this.#scopes.delete(scope.text);
    for (const namespace of scope.namespaces) {
      this.#leave(scope, namespace);
      this.#namespaces.tidy(namespace);
    }
  }

  #enter(scope: Scope, namespace: NamespaceRecord): void {
    scope.namespaces.add(namespace);
    namespace.holders++;
    const scopes = this.#scopesOf.get(namespace);
    if (scopes === undefined) this.#scopesOf.set(namespace, new Set([scope]));
    else scopes.add(scope);
  }

  #leave(scope: Scope, namespace: NamespaceRecord): void {
    scope.namespaces.delete(namespace);
    namespace.holders--;
    const scopes = this.#scopesOf.get(namespace);
    scopes?.delete(scope);
    if (scopes?.size === 0) this.#scopesOf.delete(namespace);
  }

  #selecting(id: ClassId): PeerSelector[] {
    const selecting: PeerSelector[] = [];
    const packed = this.#classes.packedLabels(id);
    for (const { byLabel } of this.#scopesOf.get(this.#classes.namespace(id)) ?? []) {
      const ask = (label: LabelId | undefined): void => {
        for (const selector of byLabel.get(label) ?? []) {
          if (selector.matcher.matches(packed)) selecting.push(selector);
        }
      };
      ask(undefined);
      for (let index = 0; index < packed.length / 2; index++) ask(packed[index]);
    }
    return selecting;
  }

  *#candidates({ namespaces }: Scope, demanded: readonly LabelId[] | undefined): Iterable<ClassId> {
    const labelled = demanded?.map((label) => this.#classes.withLabel(label));
    const fewest = labelled?.reduce((count, classes) => count + classes.length, 0) ?? Infinity;
    if (labelled !== undefined && fewest <= classCount(namespaces, fewest)) {
      // A class has one value of a key, so it is in one of the lists at most.
      for (const id of labelled.flat()) if (namespaces.has(this.#classes.namespace(id))) yield id;
      return;
    }
    for (const { classes } of namespaces) yield* classes;
  }

  /** Whatever class one of them may select, each once. */
  #candidatesOfAny(selectors: Iterable<PeerSelector>): ReadonlySet<ClassId> {
    const candidates = new Set<ClassId>();
    const wholeScopes = new Set<Scope>();
    for (const { scope, matcher } of selectors) {
      if (matcher.demanded === undefined) wholeScopes.add(scope);
      else for (const id of this.#candidates(scope, matcher.demanded)) candidates.add(id);
    }
    for (const scope of wholeScopes) for (const id of this.#candidates(scope, undefined)) candidates.add(id);
    return candidates;
  }

  /** When so many selectors come or go at once that asking classes anew is cheaper than a change for each of them. */
  #candidatesToReadmit(changed: readonly PeerSelector[]): ReadonlySet<ClassId> | undefined {
    if (changed.length < 2) return undefined;
    const candidates = this.#candidatesOfAny(changed);
    const { size: selectors } = this.#selectors;
    const changing = changed.length * (candidates.size + this.#selections.size * selectors);
    return changing > candidates.size * selectors ? candidates : undefined;
  }

  /** Asks all selectors about the classes anew. */
  #readmit(classes: Iterable<ClassId>): void {
    for (const id of classes) {
      const before = this.#classes.tag(id);
      this.admit(id);
      this.#selections.drop(before);
    }
  }

  /** Changes what selects the classes that the selector selects; classes that had the same have the same after. */
  #retag(own: PeerSelector, change: (before: Iterable<PeerSelector>, own: PeerSelector) => PeerSelector[]): void {
    const known = new Map<Selection, Selection>();
    for (const id of this.#classesOf(own)) {
      const before = this.#classes.tag(id);
      let after = known.get(before);
      if (after === undefined) known.set(before, (after = this.#selections.take(change(before.value, own))));
      else this.#selections.takeAgain(after);
      this.#classes.setTag(id, after);
      this.#selections.drop(before);
    }
  }
}

/** How many classes there are in the namespaces, counted no further than `limit`. */
function classCount(namespaces: Iterable<NamespaceRecord>, limit: number): number {
  let count = 0;
  for (const { classes } of namespaces) {
    count += classes.length;
    if (count > limit) break;
  }
  return count;
}
