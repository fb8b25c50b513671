/** Sets of protocols and ports, each kept once: equal sets are equal numbers, and what is asked twice is known. */
import type { PolicyProtocol } from '@canal/model';
import type { FlowPortRange, FlowPorts } from './policy-diff.ts';

export type PortSetId = number;
export const NO_PORTS: PortSetId = 0;
export const ALL_PORTS: PortSetId = 1;

/** TCP, UDP and SCTP one behind the other on one line of numbers, and all that has no ports as one number more. */
const PROTOCOLS: readonly PolicyProtocol[] = ['TCP', 'UDP', 'SCTP'];
const PORTS = 65_536;
const OTHER = PROTOCOLS.length * PORTS;

/** First and last in turn, ascending; none touches the next. */
type Spans = readonly number[];

export class PortSets {
  readonly #spans: Spans[] = [];
  readonly #ids = new Map<string, PortSetId>();
  readonly #united = new Map<number, PortSetId>();
  readonly #intersected = new Map<number, PortSetId>();
  readonly #subtracted = new Map<number, PortSetId>();

  constructor() {
    this.#intern([]);
    this.#intern([0, OTHER]);
  }

  /** Ports first..last of a protocol. */
  range(protocol: PolicyProtocol, first: number, last: number): PortSetId {
    if (first > last) return NO_PORTS;
    const base = PROTOCOLS.indexOf(protocol) * PORTS;
    return this.#intern([base + first, base + last]);
  }

  union(a: PortSetId, b: PortSetId): PortSetId {
    if (a === b || b === NO_PORTS || a === ALL_PORTS) return a;
    if (a === NO_PORTS || b === ALL_PORTS) return b;
    return this.#once(this.#united, Math.min(a, b), Math.max(a, b), combine, (inA, inB) => inA || inB);
  }

  intersection(a: PortSetId, b: PortSetId): PortSetId {
    if (a === b || b === ALL_PORTS || a === NO_PORTS) return a;
    if (a === ALL_PORTS || b === NO_PORTS) return b;
    return this.#once(this.#intersected, Math.min(a, b), Math.max(a, b), combine, (inA, inB) => inA && inB);
  }

  /** What of `a` is not in `b`. */
  difference(a: PortSetId, b: PortSetId): PortSetId {
    if (a === b || a === NO_PORTS || b === ALL_PORTS) return NO_PORTS;
    if (b === NO_PORTS) return a;
    return this.#once(this.#subtracted, a, b, combine, (inA, inB) => inA && !inB);
  }

  includes(outer: PortSetId, inner: PortSetId): boolean {
    return this.difference(inner, outer) === NO_PORTS;
  }

  /** How many ports; what has none counts as one. */
  size(id: PortSetId): number {
    const spans = this.#of(id);
    let size = 0;
    for (let at = 0; at < spans.length; at += 2) size += (spans[at + 1] as number) - (spans[at] as number) + 1;
    return size;
  }

  ranges(id: PortSetId): FlowPorts {
    if (id === ALL_PORTS) return 'all';
    const spans = this.#of(id);
    const ranges: FlowPortRange[] = [];
    for (const [index, protocol] of PROTOCOLS.entries()) {
      const base = index * PORTS;
      for (let at = 0; at < spans.length; at += 2) {
        const first = Math.max((spans[at] as number) - base, 0);
        const last = Math.min((spans[at + 1] as number) - base, PORTS - 1);
        if (first <= last) ranges.push({ protocol, first, last });
      }
    }
    return (spans.at(-1) ?? -1) >= OTHER ? [...ranges, { protocol: 'other' }] : ranges;
  }

  #of(id: PortSetId): Spans {
    return this.#spans[id] as Spans;
  }

  #once(
    known: Map<number, PortSetId>,
    a: PortSetId,
    b: PortSetId,
    work: (a: Spans, b: Spans, keeps: Keeps) => Spans,
    keeps: Keeps,
  ): PortSetId {
    const key = a * 0x400_0000 + b;
    let id = known.get(key);
    if (id === undefined) known.set(key, (id = this.#intern(work(this.#of(a), this.#of(b), keeps))));
    return id;
  }

  #intern(spans: Spans): PortSetId {
    const key = spans.join();
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#spans.push(spans) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }
}

type Keeps = (inA: boolean, inB: boolean) => boolean;

/** Walks the edges of both and keeps what is told to. */
function combine(a: Spans, b: Spans, keeps: Keeps): Spans {
  const kept: number[] = [];
  let [atA, atB] = [0, 0];
  let isKept = false;
  while (atA < a.length || atB < b.length) {
    const [edgeA, edgeB] = [edgeOf(a, atA), edgeOf(b, atB)];
    const edge = Math.min(edgeA, edgeB);
    if (edgeA === edge) atA++;
    if (edgeB === edge) atB++;
    const keep = keeps(atA % 2 === 1, atB % 2 === 1);
    if (keep !== isKept) kept.push(keep ? edge : edge - 1);
    isKept = keep;
  }
  return kept;
}

/** Where it is entered, or the first number behind it. */
function edgeOf(spans: Spans, at: number): number {
  const value = spans[at];
  if (value === undefined) return Infinity;
  return at % 2 === 0 ? value : value + 1;
}
