/** Which changed objects let the flows of a rectangle open or close. */
import type { Allowances } from './allowances.ts';
import type { When } from './cluster-state.ts';
import type { ComparedPods } from './compared-pods.ts';
import type { EndClass, FamilyEnds } from './end-classes.ts';
import type { FlowRectangle } from './flow-rectangles.ts';
import type { FlowCause } from './policy-diff.ts';
import { NO_PORTS, type PortSetId } from './port-sets.ts';
import type { Direction, PolicySide, RuleBook } from './rule-book.ts';

export class CauseFinder {
  readonly #book: RuleBook;
  readonly #ends: FamilyEnds;
  readonly #allowances: Allowances;
  readonly #pods: ComparedPods['pods'];
  readonly #policyChanges: ReturnType<RuleBook['changedPolicies']>;

  constructor(book: RuleBook, ends: FamilyEnds, allowances: Allowances, { pods }: ComparedPods) {
    this.#book = book;
    this.#ends = ends;
    this.#allowances = allowances;
    this.#pods = pods;
    this.#policyChanges = book.changedPolicies();
  }

  /** `allowed`: the state in which the flows are allowed. */
  causesOf(rectangle: FlowRectangle, allowed: When): readonly FlowCause[] {
    const found = new Map<string, FlowCause>();
    this.#search('egress', rectangle.sources, rectangle.destinations, rectangle.ports, allowed, found);
    this.#search('ingress', rectangle.destinations, rectangle.sources, rectangle.ports, allowed, found);
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cause]) => cause);
  }

  /** Asks of each pair, but of none where nobody is left who could be to blame. */
  #search(
    direction: Direction,
    subjects: readonly number[],
    peers: readonly number[],
    ports: PortSetId,
    allowed: When,
    found: Map<string, FlowCause>,
  ): void {
    const changedPeers = peers.filter((at) => isChanged(this.#at(at)));
    const keysOfPeer = new Map(changedPeers.map((at) => [at, this.#causesOfEnd(this.#at(at)).map(keyOf)]));
    for (const at of subjects) {
      const subject = this.#at(at);
      if (subject.kind !== 'pods') continue;
      let suspects = this.#suspectsOf(subject, direction, allowed);
      for (const peer of suspects.length > 0 ? peers : changedPeers) {
        suspects = suspects.filter((key) => !found.has(key));
        const isKnown = keysOfPeer.get(peer)?.every((key) => found.has(key)) ?? true;
        if (suspects.length === 0 && changedPeers.length === 0) break;
        if (suspects.length === 0 && isKnown) continue;
        for (const cause of this.#blame(direction, at, peer, ports, allowed)) found.set(keyOf(cause), cause);
      }
    }
  }

  #blame(direction: Direction, at: number, peerAt: number, ports: PortSetId, allowed: When): FlowCause[] {
    const denied: When = allowed === 0 ? 1 : 0;
    const [subject, peer] = [this.#at(at), this.#at(peerAt)];
    const named = (direction === 'egress' ? peer : subject).ports;
    const { ports: sets } = this.#book;
    const [letting, refusing] = [subject.subjects[direction][allowed], subject.subjects[direction][denied]];
    const missing = sets.difference(ports, this.#allowances.of(denied, refusing, peerAt, named[denied]));
    if (missing === NO_PORTS) return [];
    // Not isolated there: whatever isolates here.
    if (letting.sides.length === 0) return refusing.sides.flatMap((side) => this.#causesOfSide(side, subject));
    return letting.sides.flatMap((side) => {
      const lets = this.#allowances.ofSide(allowed, side, peerAt, named[allowed]);
      if (sets.intersection(lets, missing) === NO_PORTS) return [];
      if (!refusing.sides.includes(side)) return this.#causesOfSide(side, subject);
      // The same words let the flow pass in one state alone: they see the ends otherwise.
      const ownPorts = direction === 'ingress' && named[0] !== named[1] ? this.#causesOfPods(subject) : [];
      return [...this.#causesOfEnd(peer), ...ownPorts];
    });
  }

  /** Keys of all that `#blame` could find at this subject, whatever the peer. */
  #suspectsOf(subject: EndClass, direction: Direction, allowed: When): string[] {
    const [letting, refusing] = [subject.subjects[direction][allowed], subject.subjects[direction][1 - allowed]];
    if (letting === refusing || refusing === undefined) return this.#suspectPorts(subject, direction);
    const differing =
      letting.sides.length === 0 ? refusing.sides : letting.sides.filter((side) => !refusing.sides.includes(side));
    return [
      ...differing.flatMap((side) => this.#causesOfSide(side, subject)).map(keyOf),
      ...this.#suspectPorts(subject, direction),
    ];
  }

  #suspectPorts(subject: EndClass, direction: Direction): string[] {
    const isSuspect = direction === 'ingress' && subject.ports[0] !== subject.ports[1];
    return isSuspect ? this.#causesOfPods(subject).map(keyOf) : [];
  }

  /** A policy that did not change selects the pods because they did. */
  #causesOfSide({ path }: PolicySide, subject: EndClass): FlowCause[] {
    const change = this.#policyChanges.get(path);
    return change === undefined ? this.#causesOfPods(subject) : [{ type: 'policy', name: path, change }];
  }

  #causesOfEnd(end: EndClass): FlowCause[] {
    return [
      ...(end.changed.namespace ? [this.#causeOfNamespace(end.namespace)] : []),
      ...(end.changed.itself ? this.#causesOfPods(end) : []),
    ];
  }

  #causeOfNamespace(name: string): FlowCause {
    const [before, after] = this.#ends.namespaces;
    const change = !before.has(name) ? 'added' : after.has(name) ? 'changed' : 'removed';
    return { type: 'namespace', name, change };
  }

  #causesOfPods({ members }: EndClass): FlowCause[] {
    const workloads = new Set(members.map((index) => this.#pods[index]?.workload ?? ''));
    return [...workloads].map((workload) => ({ type: 'pods', workload }));
  }

  #at(place: number): EndClass {
    return this.#ends.classes[place] as EndClass;
  }
}

function isChanged({ changed }: EndClass): boolean {
  return changed.itself || changed.namespace;
}

/** Policies before namespaces before pods. */
function keyOf(cause: FlowCause): string {
  switch (cause.type) {
    case 'policy':
      return `0 ${cause.name}`;
    case 'namespace':
      return `1 ${cause.name}`;
    case 'pods':
      return `2 ${cause.workload}`;
  }
}
