/** The selectors that select a class, as one object for all classes that the same ones select. */
import type { PeerSelector } from './peer-selector.ts';
import { type Interned, InternPool } from './intern-pool.ts';

/** In order of their ids. */
export type Selection = Interned<ReadonlySet<PeerSelector>>;

export class Selections {
  readonly #pool = new InternPool<ReadonlySet<PeerSelector>>();

  get size(): number {
    return this.#pool.size;
  }

  /** One use more. */
  take(selectors: Iterable<PeerSelector>): Selection {
    const ordered = [...selectors].sort((a, b) => a.id - b.id);
    return this.#pool.take(ordered.map(({ id }) => id).join(','), () => new Set(ordered));
  }

  takeAgain(selection: Selection): void {
    selection.uses++;
  }

  drop(selection: Selection): void {
    this.#pool.drop(selection);
  }
}
