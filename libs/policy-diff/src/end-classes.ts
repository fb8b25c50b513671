/** Ends of flows of one family, in classes of which every member is treated alike in both states. */
import type { Ip, IpFamily } from 'net-types';
import { ipFamily } from 'net-types';
import { type AddressRange, AddressZones, type ZoneId } from './address-zones.ts';
import { BOTH, type ClusterState, type Twice, type When } from './cluster-state.ts';
import type { ComparedPods } from './compared-pods.ts';
import type { LabelSetId } from './label-space.ts';
import type { Direction, NamedPortsId, PolicySide, PolicyWords, RuleBook } from './rule-book.ts';

/** What selects a pod for one direction; none: it is not isolated. Equal subjects are one object. */
export interface Subject {
  readonly id: number;
  readonly sides: readonly PolicySide[];
}

export interface EndClass {
  readonly kind: 'pods' | 'nodes' | 'outside';
  /** pods: places in `ComparedPods.pods`; nodes: in `FamilyEnds.nodes`; outside: its zone. */
  readonly members: number[];
  /** Empty when no pods. */
  readonly namespace: string;
  readonly labels: Twice<LabelSetId>;
  readonly zones: Twice<ZoneId>;
  readonly ports: Twice<NamedPortsId>;
  readonly subjects: Record<Direction, Twice<Subject>>;
  /** Peers may see it otherwise after: its own labels, addresses or named ports; or labels of its namespace. */
  readonly changed: { readonly itself: boolean; readonly namespace: boolean };
}

export interface NodeEnd {
  readonly node: string;
  readonly ip: Ip;
}

/** The number of the labels of each namespace; one that is not known has none. */
type NamespaceLabels = ReadonlyMap<string, LabelSetId>;

export interface FamilyEnds {
  readonly family: IpFamily;
  readonly zones: AddressZones;
  readonly namespaces: Twice<NamespaceLabels>;
  readonly nodes: readonly NodeEnd[];
  readonly classes: readonly EndClass[];
  /** Pieces of the address space that are of pods and nodes alone, so that nobody outside is in them. */
  readonly isFull: (range: AddressRange) => boolean;
}

export function namespaceLabels(book: RuleBook, { namespaces }: ClusterState): NamespaceLabels {
  const sets = new Map<string, LabelSetId>();
  for (const { name, labels } of namespaces) {
    if (!sets.has(name)) sets.set(name, book.namespaceLabels.labelSet(labels));
  }
  return sets;
}

export function familyEnds(
  family: IpFamily,
  states: Twice<ClusterState>,
  book: RuleBook,
  namespaces: Twice<NamespaceLabels>,
  compared: ComparedPods,
): FamilyEnds {
  const zones = new AddressZones(family, book.blocks);
  const nodes = nodeEnds(family, states, compared.taken);
  const known = [...compared.taken].filter((ip) => ipFamily(ip) === family);
  const isFull = fullness([...known, ...nodes.map(({ ip }) => ip)]);
  const classes = [
    ...podClasses(family, book, namespaces, compared, zones),
    ...nodeClasses(nodes, zones),
    ...outsideClasses(zones, isFull),
  ];
  return { family, zones, namespaces, nodes, classes, isFull };
}

function podClasses(
  family: IpFamily,
  book: RuleBook,
  namespaces: Twice<NamespaceLabels>,
  { pods }: ComparedPods,
  zones: AddressZones,
): EndClass[] {
  const subjectsOf = subjectFinder(book);
  const classes = new Map<string, EndClass>();
  for (const [index, { pod, addresses }] of pods.entries()) {
    const own = addresses.get(family);
    if (own === undefined) continue;
    const { namespace } = pod[0];
    const both = <T>(of: (when: When) => T): Twice<T> => [of(0), of(1)];
    const labels = both((when) => book.podLabels.labelSet(pod[when].labels));
    const zone = both((when) => zones.zoneOf(own[when]));
    const ports = both((when) => book.namedPorts(pod[when].ports));
    const key = [namespace, ...labels, ...zone, ...ports].join(' ');
    const known = classes.get(key);
    if (known !== undefined) {
      known.members.push(index);
      continue;
    }
    classes.set(key, {
      kind: 'pods',
      members: [index],
      namespace,
      labels,
      zones: zone,
      ports,
      subjects: {
        ingress: both((when) => subjectsOf(when, 'ingress', namespace, labels[when])),
        egress: both((when) => subjectsOf(when, 'egress', namespace, labels[when])),
      },
      changed: {
        itself: labels[0] !== labels[1] || zone[0] !== zone[1] || ports[0] !== ports[1],
        namespace: namespaces[0].get(namespace) !== namespaces[1].get(namespace),
      },
    });
  }
  return [...classes.values()];
}

/** Subjects by their sides, and the policies of a namespace at hand. */
function subjectFinder(
  book: RuleBook,
): (when: When, direction: Direction, namespace: string, labels: LabelSetId) => Subject {
  const byNamespace = BOTH.map((when) => Map.groupBy(book.policies[when], ({ namespace }) => namespace));
  const subjects = new Map<string, Subject>();
  return (when, direction, namespace, labels) => {
    const policies: readonly PolicyWords[] = byNamespace[when]?.get(namespace) ?? [];
    const sides = policies
      .filter((policy) => policy[direction] !== undefined && book.podLabels.holds(policy.selector, labels))
      .map((policy) => policy[direction] as PolicySide);
    const key = sides
      .map(({ id }) => id)
      .sort((a, b) => a - b)
      .join();
    let subject = subjects.get(key);
    if (subject === undefined) subjects.set(key, (subject = { id: subjects.size, sides }));
    return subject;
  };
}

const NOT_ISOLATED: Subject = { id: -1, sides: [] };

function addressClass(kind: 'nodes' | 'outside', zone: ZoneId, members: number[]): EndClass {
  const none: Twice<Subject> = [NOT_ISOLATED, NOT_ISOLATED];
  return {
    kind,
    members,
    namespace: '',
    labels: [-1, -1],
    zones: [zone, zone],
    ports: [-1, -1],
    subjects: { ingress: none, egress: none },
    changed: { itself: false, namespace: false },
  };
}

/** Of either state; in order. An address that a pod has is the pod's. */
function nodeEnds(family: IpFamily, states: Twice<ClusterState>, taken: ReadonlySet<Ip>): NodeEnd[] {
  const ends = new Map<string, NodeEnd>();
  for (const { nodes } of states) {
    for (const { name, addresses } of nodes) {
      for (const ip of addresses) {
        if (ipFamily(ip) === family && !taken.has(ip)) ends.set(`${name} ${ip}`, { node: name, ip });
      }
    }
  }
  return [...ends].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, end]) => end);
}

function nodeClasses(nodes: readonly NodeEnd[], zones: AddressZones): EndClass[] {
  const byZone = Map.groupBy(nodes.keys(), (index) => zones.zoneOf((nodes[index] as NodeEnd).ip));
  return [...byZone].map(([zone, members]) => addressClass('nodes', zone, members));
}

function outsideClasses(zones: AddressZones, isFull: (range: AddressRange) => boolean): EndClass[] {
  const peopled = new Set<ZoneId>();
  for (const piece of zones.pieces()) if (!peopled.has(piece.zone) && !isFull(piece)) peopled.add(piece.zone);
  return [...peopled].map((zone) => addressClass('outside', zone, [zone]));
}

/** Whether each address of a range is one of those known. */
function fullness(known: readonly Ip[]): (range: AddressRange) => boolean {
  const addresses = new Set(known);
  return ({ first, last }) => {
    if (BigInt(last) - BigInt(first) >= BigInt(addresses.size)) return false;
    // Numbers or bigints, as the family has it.
    if (typeof first === 'number') {
      for (let ip: number = first; ip <= Number(last); ip++) if (!addresses.has(ip as Ip)) return false;
      return true;
    }
    for (let ip: bigint = first; ip <= BigInt(last); ip++) if (!addresses.has(ip as Ip)) return false;
    return true;
  };
}
