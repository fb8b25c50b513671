import type { LabelSelector } from '@canal/model';
import type { LabelId } from './label-dictionary.ts';
import type { LabelMatcher } from './label-matcher.ts';
import type { NamespaceRecord } from './namespace-table.ts';

/** Pods of the namespaces of a scope that a pod selector selects: one for all rules that mean the same peers. */
export interface PeerSelector {
  readonly id: number;
  /** Of the peers. */
  readonly text: string;
  readonly scope: Scope;
  readonly matcher: LabelMatcher;
  uses: number;
}

/** The namespaces that a peer's pods may be of, and the selectors that ask for pods there. */
export interface Scope {
  readonly text: string;
  /** Undefined: one namespace, by its name. */
  readonly selector: LabelSelector | undefined;
  readonly namespaces: Set<NamespaceRecord>;
  /** Selectors by each of the labels that they demand; `undefined`: those that demand none. */
  readonly byLabel: Map<LabelId | undefined, Set<PeerSelector>>;
  uses: number;
}
