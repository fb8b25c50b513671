/** Rectangles of classes, told as workloads, nodes and ranges; those of both families that say the same are one. */
import { formatIp, type IpFamily } from 'net-types';
import { zonesText } from './address-text.ts';
import { type ComparedPod, type ComparedPods, FAMILIES } from './compared-pods.ts';
import type { EndClass, FamilyEnds, NodeEnd } from './end-classes.ts';
import type { FlowRectangle } from './flow-rectangles.ts';
import type { FlowCause, FlowEnd, FlowGroup, PodsEnd } from './policy-diff.ts';
import { PodPool } from './pod-pool.ts';
import type { PortSets } from './port-sets.ts';

/** What is found in one family. */
export interface FamilyRectangle extends FlowRectangle {
  readonly ends: FamilyEnds;
  readonly causes: readonly FlowCause[];
}

export function flowGroups(
  rectangles: readonly FamilyRectangle[],
  compared: ComparedPods,
  families: readonly IpFamily[],
  ports: PortSets,
): readonly FlowGroup[] {
  const pool = new PodPool(compared.pods);
  return paired(rectangles, compared.pods)
    .map((pair): FlowGroup => {
      const [first] = pair;
      const [sources, destinations] = [membersOfSide(pair, 'sources'), membersOfSide(pair, 'destinations')];
      const own = pair.map(({ ends }) => ends.family);
      const isMeantByAll = families
        .filter((family) => !own.includes(family))
        .every((other) => [sources, destinations].some((side) => isWithout(side, other, compared.pods)));
      const meant = isMeantByAll ? families : own;
      return {
        sources: describe(sources, destinations, pool, meant),
        destinations: describe(destinations, sources, pool, meant),
        families: meant,
        ports: ports.ranges(first.ports),
        causes: first.causes,
      };
    })
    .map((group) => ({ group, text: JSON.stringify(group) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ group }) => group);
}

type Pair = readonly [FamilyRectangle, ...FamilyRectangle[]];

/** A rectangle goes with one of the other family that means the same dual-stack pods at both ends. */
function paired(rectangles: readonly FamilyRectangle[], pods: readonly ComparedPod[]): Pair[] {
  // Nodes of one family alone are no difference.
  const withNodes = new Set(rectangles.filter(({ ends }) => ends.nodes.length > 0).map(({ ends }) => ends.family));
  const haveNodes = withNodes.size === FAMILIES.length;
  const keyOf = (rectangle: FamilyRectangle): string => {
    const sides = (['sources', 'destinations'] as const).map((side) => {
      const classes = classesOf(rectangle, side);
      const dual = membersOf(classes, 'pods').filter((index) => pods[index]?.addresses.size === 2);
      const hasNodes = haveNodes && classes.some(({ kind }) => kind === 'nodes');
      return [dual, hasNodes, classes.some(({ kind }) => kind === 'outside')];
    });
    return JSON.stringify([rectangle.ports, rectangle.causes, sides]);
  };
  const waiting = new Map<string, FamilyRectangle[]>();
  const pairs: Pair[] = [];
  const fours = rectangles.filter(({ ends }) => ends.family === 4);
  const sixes = rectangles.filter(({ ends }) => ends.family === 6);
  if (fours.length === 0 || sixes.length === 0) return rectangles.map((rectangle) => [rectangle]);
  for (const six of sixes) {
    const key = keyOf(six);
    const alike = waiting.get(key);
    if (alike === undefined) waiting.set(key, [six]);
    else alike.push(six);
  }
  for (const four of fours) {
    const six = waiting.get(keyOf(four))?.shift();
    pairs.push(six === undefined ? [four] : [four, six]);
  }
  for (const left of waiting.values()) for (const six of left) pairs.push([six]);
  return pairs;
}

type Side = 'sources' | 'destinations';

function classesOf(rectangle: FamilyRectangle, side: Side): EndClass[] {
  return rectangle[side].map((at) => rectangle.ends.classes[at] as EndClass);
}

function membersOf(classes: readonly EndClass[], kind: EndClass['kind']): number[] {
  return classes
    .filter((end) => end.kind === kind)
    .flatMap(({ members }) => members)
    .sort((a, b) => a - b);
}

interface SideMembers {
  readonly pods: ReadonlySet<number>;
  readonly nodes: readonly NodeEnd[];
  readonly ranges: readonly string[];
  /** Of the families of the pair. */
  readonly allNodes: boolean;
  readonly allOutside: boolean;
}

function membersOfSide(pair: Pair, side: Side): SideMembers {
  const pods = new Set<number>();
  const nodes: NodeEnd[] = [];
  const ranges: string[] = [];
  let [allNodes, allOutside] = [true, true];
  for (const rectangle of pair) {
    const { ends } = rectangle;
    const classes = classesOf(rectangle, side);
    for (const index of membersOf(classes, 'pods')) pods.add(index);
    const ownNodes = membersOf(classes, 'nodes');
    nodes.push(...ownNodes.map((index) => ends.nodes[index] as NodeEnd));
    if (ownNodes.length < ends.nodes.length) allNodes = false;
    const zones = membersOf(classes, 'outside');
    if (zones.length > 0) ranges.push(...zonesText(ends, new Set(zones)));
    if (zones.length < membersOf(ends.classes, 'outside').length) allOutside = false;
  }
  return { pods, nodes, ranges, allNodes: allNodes && nodes.length > 0, allOutside: allOutside && ranges.length > 0 };
}

/** Whether no end has an address of the family: what is told of the side says nothing of it then. */
function isWithout(
  { pods, allNodes, allOutside }: SideMembers,
  family: IpFamily,
  all: readonly ComparedPod[],
): boolean {
  return !allNodes && !allOutside && ![...pods].some((place) => all[place]?.addresses.has(family));
}

function describe(
  { pods, nodes, ranges, allNodes, allOutside }: SideMembers,
  opposite: SideMembers,
  pool: PodPool,
  families: readonly IpFamily[],
): readonly FlowEnd[] {
  return [
    ...podEnds(pods, opposite, pool, families),
    ...(nodes.length > 0 ? [nodesEnd(nodes, allNodes)] : []),
    ...(ranges.length > 0 ? [{ type: 'outside' as const, ranges: allOutside ? ('all' as const) : ranges }] : []),
  ];
}

/** A pod alone on the other side may be told here too, which means nothing, where that makes a whole of the others. */
function podEnds(
  pods: ReadonlySet<number>,
  opposite: SideMembers,
  pool: PodPool,
  families: readonly IpFamily[],
): readonly PodsEnd[] {
  const told = pool.describe(pods, families);
  if (opposite.pods.size !== 1 || opposite.nodes.length > 0 || opposite.ranges.length > 0) return told;
  const withIt = pool.describe(pods.union(opposite.pods), families);
  return withIt.length < told.length ? withIt : told;
}

function nodesEnd(nodes: readonly NodeEnd[], all: boolean): FlowEnd {
  return {
    type: 'nodes',
    addresses: all ? 'all' : nodes.map(({ node, ip }) => ({ node, address: formatIp(ip) })),
  };
}
