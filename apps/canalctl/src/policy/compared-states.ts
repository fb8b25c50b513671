/** The two states of a cluster that a diff is of: as it is, and as it is after manifests were applied to it. */
import { appliedObject } from '@canal/api-schema';
import type { ClusterState } from '@canal/policy-diff';
import type { Manifest } from '../objects/manifest.ts';
import { printableLine } from '../printable.ts';
import {
  isPolicy,
  namespacesOf,
  parsePolicyObjects,
  policyManifests,
  type PolicyManifests,
  type PolicyObjects,
  standInAddresses,
  withAddresses,
} from './policy-objects.ts';

export interface ComparedStates {
  readonly before: ClusterState;
  readonly after: ClusterState;
  /** What was assumed because nobody says it, and what cannot be read of policies. */
  readonly notes: readonly string[];
}

export interface CompareOptions {
  readonly defaultNamespace: string;
  /** Policies that are not among the wanted go. */
  readonly prune: boolean;
}

/** Throws UsageError naming file, field and value. */
export function comparedStates(
  present: readonly Manifest[],
  wanted: readonly Manifest[],
  { defaultNamespace, prune }: CompareOptions,
): ComparedStates {
  const notes: string[] = [];
  const before = policyManifests(present, defaultNamespace, notes);
  const changes = policyManifests(wanted, defaultNamespace, notes);
  if (changes.size === 0) notes.push('-f holds nothing that policies ask about: no pod, namespace, policy or node');
  const after = new Map([...before].filter(([key, manifest]) => !prune || changes.has(key) || !isPolicy(manifest)));
  for (const [key, manifest] of changes) after.set(key, applied(before.get(key), manifest));
  notes.push(...policyNotes(changes));
  const objects = [before, after].map((state) => parsePolicyObjects(state.values()));
  const standIns = standInAddresses(
    objects.map(({ pods }) => pods),
    notes,
  );
  const [first, second] = objects.map((state) => stateOf(state, standIns, notes)) as [ClusterState, ClusterState];
  return { before: first, after: second, notes: [...new Set(notes)] };
}

function applied(live: Manifest | undefined, wanted: Manifest): Manifest {
  return live === undefined ? wanted : { ...wanted, object: appliedObject(live.object, wanted.object) };
}

function stateOf(objects: PolicyObjects, standIns: Parameters<typeof withAddresses>[1], notes: string[]): ClusterState {
  const { pods, policies, nodes } = objects;
  return {
    namespaces: namespacesOf(objects, notes),
    pods: withAddresses(pods, standIns),
    policies,
    nodes: nodes.map(({ name, addresses, tunnelAddresses }) => ({
      name,
      addresses: [...addresses, ...tunnelAddresses],
    })),
  };
}

/** What is isolated because it cannot be read is in the diff, and looks as if it was meant. */
function policyNotes(changes: PolicyManifests): readonly string[] {
  return [...changes.values()].filter(isPolicy).flatMap((manifest) => {
    const { policies } = parsePolicyObjects([manifest]);
    return policies.flatMap(({ problems }) =>
      problems.map(({ message }) => printableLine(`${manifest.where}: ${message}`)),
    );
  });
}
