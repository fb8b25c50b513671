/** Between which classes which ports open and close. */
import type { Allowances } from './allowances.ts';
import type { Twice } from './cluster-state.ts';
import type { EndClass, FamilyEnds } from './end-classes.ts';
import { IngressGuards } from './ingress-guards.ts';
import { NO_PORTS, type PortSetId } from './port-sets.ts';
import type { Direction, RuleBook } from './rule-book.ts';

/** Sources that have the same ports to each destination. */
export interface FlowRow {
  /** Places of classes, ascending. */
  readonly sources: number[];
  /** By place of the destination's class. */
  readonly ports: Int32Array;
}

interface ChangedFlows {
  readonly opens: readonly FlowRow[];
  readonly closes: readonly FlowRow[];
}

/**
 * Looks at pairs of which one end is selected otherwise than before, or seen otherwise by others: nothing changes
 * between the rest.
 */
export function changedFlows({ classes }: FamilyEnds, allowances: Allowances, book: RuleBook): ChangedFlows {
  const { ports } = book;
  const sources = classes.map((end) => isTouched(end, 'egress'));
  const destinations = classes.map((end) => isTouched(end, 'ingress'));
  const everything = [...classes.keys()];
  const touched = everything.filter((at) => destinations[at]);
  if (touched.length === 0 && !sources.includes(true)) return { opens: [], closes: [] };
  const seesTheSame = !classes.some(({ changed }) => changed.itself || changed.namespace);
  const guards = new IngressGuards(classes, allowances, book);
  const rows: Twice<Int32Array> = [new Int32Array(classes.length), new Int32Array(classes.length)];
  const [opens, closes] = [new RowCollector(classes.length), new RowCollector(classes.length)];

  for (const [source, { kind, subjects }] of classes.entries()) {
    const candidates = sources[source] ? everything : touched;
    if (candidates.length === 0) continue;
    const [before, after] = subjects.egress;
    allowances.fillRow(0, before, rows[0]);
    const same = seesTheSame && before === after;
    if (same) rows[1].set(rows[0]);
    else allowances.fillRow(1, after, rows[1]);
    guards.next(source);
    for (const destination of candidates) {
      // Policy judges pods alone.
      if (kind !== 'pods' && (classes[destination] as EndClass).kind !== 'pods') continue;
      const [egressBefore, egressAfter] = [rows[0][destination] as PortSetId, rows[1][destination] as PortSetId];
      if (egressBefore === NO_PORTS && egressAfter === NO_PORTS) continue;
      const old = ports.intersection(egressBefore, guards.lets(0, destination));
      const now = ports.intersection(egressAfter, guards.lets(1, destination));
      if (old === now) continue;
      opens.put(destination, ports.difference(now, old));
      closes.put(destination, ports.difference(old, now));
    }
    opens.finish(source);
    closes.finish(source);
  }
  return { opens: opens.rows, closes: closes.rows };
}

function isTouched({ kind, subjects, changed }: EndClass, direction: Direction): boolean {
  const [before, after] = subjects[direction];
  return kind === 'pods' && (before !== after || changed.itself || changed.namespace);
}

/** Keeps equal rows once. */
class RowCollector {
  readonly rows: FlowRow[] = [];
  readonly #byHash = new Map<number, FlowRow[]>();
  readonly #row: Int32Array;
  #filled: number[] = [];
  #hash = 0;

  constructor(length: number) {
    this.#row = new Int32Array(length);
  }

  /** Destinations come in ascending order. */
  put(destination: number, ports: PortSetId): void {
    if (ports === NO_PORTS) return;
    this.#row[destination] = ports;
    this.#filled.push(destination);
    this.#hash = Math.imul(Math.imul(this.#hash ^ destination, 0x9e37_79b1) ^ ports, 0x85eb_ca6b);
  }

  finish(source: number): void {
    if (this.#filled.length === 0) return;
    let alike = this.#byHash.get(this.#hash);
    if (alike === undefined) this.#byHash.set(this.#hash, (alike = []));
    const known = alike.find(({ ports }) => ports.every((set, at) => set === this.#row[at]));
    if (known !== undefined) {
      known.sources.push(source);
    } else {
      const row = { sources: [source], ports: this.#row.slice() };
      alike.push(row);
      this.rows.push(row);
    }
    for (const destination of this.#filled) this.#row[destination] = NO_PORTS;
    this.#filled = [];
    this.#hash = 0;
  }
}
