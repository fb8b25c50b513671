/** Ingress of all destinations from one source after the other: many destinations are guarded by the same rules. */
import type { Allowances } from './allowances.ts';
import { BOTH, type Twice, type When } from './cluster-state.ts';
import type { EndClass, Subject } from './end-classes.ts';
import { ALL_PORTS, NO_PORTS, type PortSetId } from './port-sets.ts';
import type { NamedPortsId, PeerId, RuleBook } from './rule-book.ts';

export class IngressGuards {
  readonly #book: RuleBook;
  readonly #states: Twice<GuardedState>;

  constructor(classes: readonly EndClass[], allowances: Allowances, book: RuleBook) {
    this.#book = book;
    this.#states = [guardedState(0, classes, allowances, book), guardedState(1, classes, allowances, book)];
  }

  next(source: number): void {
    for (const when of BOTH) {
      const { lets, fromAnyone, grants, grantsTo } = this.#states[when];
      lets.set(fromAnyone);
      for (const grant of grantsTo[source] ?? []) {
        const { guards, ports } = grants[grant] as Grants;
        for (const [at, guard] of guards.entries()) {
          lets[guard] = this.#book.ports.union(lets[guard] as PortSetId, ports[at] as PortSetId);
        }
      }
    }
  }

  lets(when: When, destination: number): PortSetId {
    const { guardOf, lets } = this.#states[when];
    return lets[guardOf[destination] as number] as PortSetId;
  }
}

interface GuardedState {
  /** By place of a class. */
  readonly guardOf: Int32Array;
  /** By guard: of whatever source, and of the one that is looked at. */
  readonly fromAnyone: Int32Array;
  readonly lets: Int32Array;
  readonly grants: readonly Grants[];
  /** By place of a class as a source, places in `grants`. */
  readonly grantsTo: readonly (readonly number[])[];
}

/** What one peer is granted, by guards. */
interface Grants {
  readonly guards: number[];
  readonly ports: PortSetId[];
}

function guardedState(when: When, classes: readonly EndClass[], allowances: Allowances, book: RuleBook): GuardedState {
  const ids = new Map<string, number>();
  const guards: { readonly subject: Subject; readonly ports: NamedPortsId }[] = [];
  const guardOf = Int32Array.from(classes, ({ subjects, ports }) => {
    const subject = subjects.ingress[when];
    const key = `${subject.id} ${ports[when]}`;
    let id = ids.get(key);
    if (id === undefined) ids.set(key, (id = guards.push({ subject, ports: ports[when] }) - 1));
    return id;
  });

  const fromAnyone = new Int32Array(guards.length);
  const byPeer = new Map<PeerId, Grants>();
  for (const [guard, { subject, ports }] of guards.entries()) {
    fromAnyone[guard] = subject.sides.length === 0 ? ALL_PORTS : NO_PORTS;
    for (const rule of subject.sides.flatMap(({ rules }) => rules)) {
      const set = book.portsOf(rule, ports);
      if (rule.peers === 'any') fromAnyone[guard] = book.ports.union(fromAnyone[guard], set);
      else for (const peer of rule.peers) grant(byPeer, peer, guard, set);
    }
  }
  const grantsTo: number[][] = classes.map(() => []);
  for (const [place, peer] of [...byPeer.keys()].entries()) {
    for (const source of allowances.matched(when, peer).places) (grantsTo[source] as number[]).push(place);
  }
  return { guardOf, fromAnyone, lets: new Int32Array(guards.length), grants: [...byPeer.values()], grantsTo };
}

function grant(byPeer: Map<PeerId, Grants>, peer: PeerId, guard: number, ports: PortSetId): void {
  let grants = byPeer.get(peer);
  if (grants === undefined) byPeer.set(peer, (grants = { guards: [], ports: [] }));
  grants.guards.push(guard);
  grants.ports.push(ports);
}
