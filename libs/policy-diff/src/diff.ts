/** Two states of a cluster in, the flows that open or close between them out. */
import type { PolicyPod } from '@canal/model';
import { Allowances } from './allowances.ts';
import { changedFlows, type FlowRow } from './changed-flows.ts';
import type { ClusterState, When } from './cluster-state.ts';
import { type ComparedPod, type ComparedPods, comparePods, FAMILIES } from './compared-pods.ts';
import { type EndClass, type FamilyEnds, familyEnds, namespaceLabels, type NodeEnd } from './end-classes.ts';
import { CauseFinder } from './flow-causes.ts';
import { type FamilyRectangle, flowGroups } from './flow-groups.ts';
import { type FlowRectangle, flowRectangles } from './flow-rectangles.ts';
import type { PolicyDiff } from './policy-diff.ts';
import { RuleBook } from './rule-book.ts';
import { defaultWorkloadOf } from './workload-of.ts';

export interface DiffOptions {
  /** Under which name a pod is told (`shop/web`); pods that share one are told together. Default: defaultWorkloadOf. */
  readonly workloadOf?: (pod: PolicyPod) => string;
}

export function diff(before: ClusterState, after: ClusterState, options: DiffOptions = {}): PolicyDiff {
  const states = [before, after] as const;
  const book = new RuleBook(states);
  const namespaces = [namespaceLabels(book, before), namespaceLabels(book, after)] as const;
  const compared = comparePods(states, options.workloadOf ?? defaultWorkloadOf);
  const families = FAMILIES.filter((family) => compared.pods.some(({ addresses }) => addresses.has(family)));

  const opens: FamilyRectangle[] = [];
  const closes: FamilyRectangle[] = [];
  for (const family of families) {
    const ends = familyEnds(family, states, book, namespaces, compared);
    const allowances = new Allowances(book, ends);
    const causes = new CauseFinder(book, ends, allowances, compared);
    const told = (rows: readonly FlowRow[], allowed: When): FamilyRectangle[] =>
      flowRectangles(rows, book.ports)
        .filter((rectangle) => isOfOthers(rectangle, ends, compared.pods))
        .map((rectangle) => ({ ...rectangle, ends, causes: causes.causesOf(rectangle, allowed) }));
    const changed = changedFlows(ends, allowances, book);
    opens.push(...told(changed.opens, 1));
    closes.push(...told(changed.closes, 0));
  }
  return {
    opens: flowGroups(opens, compared, families, book.ports),
    closes: flowGroups(closes, compared, families, book.ports),
    came: compared.came,
    went: compared.went,
    compared: { pods: compared.pods.length, workloads: workloadCount(compared), families },
  };
}

function workloadCount({ pods }: ComparedPods): number {
  return new Set(pods.map(({ workload }) => workload)).size;
}

/** Whether anything is meant beside a pod and itself, and nodes and the pods that run on them. */
function isOfOthers(
  { sources, destinations }: FlowRectangle,
  { classes, nodes }: FamilyEnds,
  pods: readonly ComparedPod[],
): boolean {
  const at = (place: number): EndClass => classes[place] as EndClass;
  if (destinations.some((place) => at(place).kind !== 'pods')) return true;
  const targets = destinations.flatMap((place) => at(place).members);
  return sources.some((place) => {
    const { kind, members } = at(place);
    if (kind === 'outside') return true;
    if (kind === 'pods') return members.length > 1 || targets.length > 1 || members[0] !== targets[0];
    return members.some((index) => {
      const { node } = nodes[index] as NodeEnd;
      return targets.some((target) => !runsOn(pods[target] as ComparedPod, node));
    });
  });
}

/** In either state. */
function runsOn({ pod }: ComparedPod, node: string): boolean {
  return pod[0].node === node || pod[1].node === node;
}
