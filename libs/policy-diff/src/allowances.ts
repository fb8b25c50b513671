/** What rules allow between classes of ends, in either state. */
import type { Twice, When } from './cluster-state.ts';
import type { EndClass, FamilyEnds, Subject } from './end-classes.ts';
import { ALL_PORTS, NO_PORTS, type PortSetId } from './port-sets.ts';
import type { NamedPortsId, Peer, PeerId, PolicySide, Rule, RuleBook } from './rule-book.ts';

/** The classes that a peer is: as places, and by place. */
interface Matched {
  readonly places: readonly number[];
  readonly flags: Uint8Array;
}

export class Allowances {
  readonly #book: RuleBook;
  readonly #ends: FamilyEnds;
  /** By peer, made when it is asked for. */
  readonly #matched: Twice<Matched[]> = [[], []];
  readonly #byNamespace: ReadonlyMap<string, readonly number[]>;
  readonly #byZone: Twice<ReadonlyMap<number, readonly number[]>>;

  constructor(book: RuleBook, ends: FamilyEnds) {
    this.#book = book;
    this.#ends = ends;
    const at = (place: number): EndClass => ends.classes[place] as EndClass;
    const places = [...ends.classes.keys()];
    const pods = places.filter((place) => at(place).kind === 'pods');
    this.#byNamespace = Map.groupBy(pods, (place) => at(place).namespace);
    this.#byZone = [
      Map.groupBy(places, (place) => at(place).zones[0]),
      Map.groupBy(places, (place) => at(place).zones[1]),
    ];
  }

  /** Of traffic with a peer, which classes[peer] is, to a destination with these named ports. */
  of(when: When, { sides }: Subject, peer: number, destination: NamedPortsId): PortSetId {
    if (sides.length === 0) return ALL_PORTS;
    let set = NO_PORTS;
    for (const side of sides) set = this.#book.ports.union(set, this.ofSide(when, side, peer, destination));
    return set;
  }

  ofSide(when: When, { rules }: PolicySide, peer: number, destination: NamedPortsId): PortSetId {
    let set = NO_PORTS;
    for (const rule of rules) {
      if (!this.#matches(when, rule, peer)) continue;
      set = this.#book.ports.union(set, this.#book.portsOf(rule, destination));
    }
    return set;
  }

  /** Egress to each class at once, written into `row`. */
  fillRow(when: When, { sides }: Subject, row: Int32Array): void {
    if (sides.length === 0) {
      row.fill(ALL_PORTS);
      return;
    }
    row.fill(NO_PORTS);
    const { classes } = this.#ends;
    const add = (rule: Rule, place: number): void => {
      const ports = this.#book.portsOf(rule, (classes[place] as EndClass).ports[when]);
      row[place] = this.#book.ports.union(row[place] as PortSetId, ports);
    };
    for (const { rules } of sides) {
      for (const rule of rules) {
        if (rule.peers === 'any') for (let place = 0; place < row.length; place++) add(rule, place);
        else for (const peer of rule.peers) for (const place of this.matched(when, peer).places) add(rule, place);
      }
    }
  }

  matched(when: When, id: PeerId): Matched {
    return (this.#matched[when][id] ??= this.#match(when, this.#book.peers[id] as Peer));
  }

  #matches(when: When, { peers }: Rule, peer: number): boolean {
    if (peers === 'any') return true;
    for (const id of peers) if (this.matched(when, id).flags[peer] === 1) return true;
    return false;
  }

  #match(when: When, peer: Peer): Matched {
    const places = peer.type === 'block' ? this.#inBlock(when, peer.block) : this.#selected(when, peer);
    const flags = new Uint8Array(this.#ends.classes.length);
    for (const place of places) flags[place] = 1;
    return { places, flags };
  }

  #inBlock(when: When, block: number): number[] {
    return [...this.#byZone[when]].flatMap(([zone, places]) => (this.#ends.zones.covers(block, zone) ? places : []));
  }

  #selected(when: When, { namespaces, pods }: Peer & { type: 'pods' }): number[] {
    const { classes, namespaces: labels } = this.#ends;
    const { namespaceLabels, podLabels } = this.#book;
    const names =
      typeof namespaces === 'string'
        ? [namespaces]
        : [...labels[when]].flatMap(([name, set]) => (namespaceLabels.holds(namespaces, set) ? name : []));
    return names.flatMap((name) =>
      (this.#byNamespace.get(name) ?? []).filter((place) =>
        podLabels.holds(pods, (classes[place] as EndClass).labels[when]),
      ),
    );
  }
}
