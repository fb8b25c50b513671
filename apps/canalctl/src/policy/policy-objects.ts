/** What policies are about, read from manifests as an agent reads it from an API server. */
import {
  annotationKeys,
  DEFAULT_ANNOTATION_PREFIX,
  type NodeAddressRecord,
  nodeAddressReader,
  parseNetworkPolicy,
  parsePolicyNamespace,
  parsePolicyPod,
} from '@canal/api-schema';
import type { NetworkPolicy, PolicyNamespace, PolicyPod } from '@canal/model';
import { type Ip, ipAdd, parseIp, type Result, unwrap } from 'net-types';
import { isJsonObject, textAt } from '../objects/json-object.ts';
import type { Manifest } from '../objects/manifest.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';

export interface PolicyObjects {
  readonly pods: readonly PolicyPod[];
  readonly namespaces: readonly PolicyNamespace[];
  readonly policies: readonly NetworkPolicy[];
  readonly nodes: readonly (NodeAddressRecord & { readonly name: string })[];
}

/** By kind and name: what an API server would hold. */
export type PolicyManifests = ReadonlyMap<string, Manifest>;

const [POD, NAMESPACE, NODE, POLICY] = ['v1 Pod', 'v1 Namespace', 'v1 Node', 'networking.k8s.io/v1 NetworkPolicy'];
const CORRECT = 'correct the file and run the same command again';
const parseNodeAddresses = nodeAddressReader(unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX)));

/**
 * As an API server would have it after applying all in turn: of objects of one name the last, which is noted, and each in a
 * namespace. Other kinds are passed over.
 */
export function policyManifests(
  manifests: readonly Manifest[],
  defaultNamespace: string,
  notes: string[],
): PolicyManifests {
  const byName = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const type = typeOf(manifest);
    if (![POD, NAMESPACE, NODE, POLICY].includes(type)) continue;
    const { name, namespace = defaultNamespace, kind, where } = manifest;
    const isNamespaced = type === POD || type === POLICY;
    const key = isNamespaced ? `${namespace}/${name}` : name;
    const before = byName.get(`${type} ${key}`);
    if (before !== undefined) {
      notes.push(printableLine(`${kind} ${key} stands in ${before.where} and in ${where}: the latter counts`));
    }
    byName.set(`${type} ${key}`, isNamespaced ? inNamespace(manifest, namespace) : manifest);
  }
  return byName;
}

export function isPolicy(manifest: Manifest): boolean {
  return typeOf(manifest) === POLICY;
}

function typeOf({ apiVersion, kind }: Manifest): string {
  return `${apiVersion} ${kind}`;
}

/** The namespace said, and an identity for each pod. */
function inNamespace(manifest: Manifest, namespace: string): Manifest {
  const { object, kind, name } = manifest;
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const uid = textAt(metadata, 'uid') || `${kind}/${namespace}/${name}`;
  return { ...manifest, namespace, object: { ...object, metadata: { ...metadata, uid, namespace } } };
}

/** Throws UsageError naming file, field and value. */
export function parsePolicyObjects(manifests: Iterable<Manifest>): PolicyObjects {
  const pods: PolicyPod[] = [];
  const namespaces: PolicyNamespace[] = [];
  const policies: NetworkPolicy[] = [];
  const nodes: PolicyObjects['nodes'][number][] = [];
  for (const manifest of manifests) {
    const { object, name } = manifest;
    switch (typeOf(manifest)) {
      case POD:
        pods.push(parsed(manifest, parsePolicyPod(object)));
        break;
      case NAMESPACE:
        namespaces.push(withItsName(parsed(manifest, parsePolicyNamespace(object))));
        break;
      case POLICY:
        policies.push(parsed(manifest, parseNetworkPolicy(object)));
        break;
      case NODE:
        nodes.push({ name, ...parsed(manifest, parseNodeAddresses(object)) });
        break;
    }
  }
  return { pods, namespaces, policies, nodes };
}

function parsed<T>({ where }: Manifest, result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new UsageError(`${where}: ${result.error}`, CORRECT);
}

/** RFC 2544: addresses for tests, which nobody else has. */
const FIRST_STAND_IN = unwrap(parseIp('198.18.0.1'));

/**
 * For pods that nobody has run yet, which are asked about all the same: by `namespace/name`, so that one pod has one
 * address in all states of a cluster.
 */
export function standInAddresses(states: readonly (readonly PolicyPod[])[], notes: string[]): ReadonlyMap<string, Ip> {
  const given = new Map<string, Ip>();
  let next: Ip | undefined = FIRST_STAND_IN;
  for (const pod of states.flat()) {
    const path = `${pod.namespace}/${pod.name}`;
    if (next === undefined || !lacksAddress(pod) || given.has(path)) continue;
    given.set(path, next);
    next = ipAdd(next, 1);
  }
  if (given.size > 0) {
    notes.push(
      `pods without an address in the files (${given.size}) stand at 198.18.0.1 and up: rules with an ipBlock may judge them otherwise`,
    );
  }
  return given;
}

export function withAddresses(pods: readonly PolicyPod[], standIns: ReadonlyMap<string, Ip>): readonly PolicyPod[] {
  return pods.map((pod) => {
    const address = lacksAddress(pod) ? standIns.get(`${pod.namespace}/${pod.name}`) : undefined;
    return address === undefined ? pod : { ...pod, addresses: [address] };
  });
}

function lacksAddress({ addresses, hostNetwork, completed }: PolicyPod): boolean {
  return addresses.length === 0 && !hostNetwork && !completed;
}

const NAME_LABEL = 'kubernetes.io/metadata.name';

/** Every namespace has the label of its name: the API server puts it there, whatever the manifest says. */
function withItsName({ name, labels }: PolicyNamespace): PolicyNamespace {
  return { name, labels: { ...labels, [NAME_LABEL]: name } };
}

/** Those that the files do not hold, too. */
export function namespacesOf(objects: PolicyObjects, notes: string[]): readonly PolicyNamespace[] {
  const { namespaces, pods, policies } = objects;
  const known = new Set(namespaces.map(({ name }) => name));
  const missing = [...new Set([...pods, ...policies].map(({ namespace }) => namespace))].filter(
    (name) => !known.has(name),
  );
  if (missing.length > 0) {
    notes.push(
      `the files do not hold the namespaces ${printableLine(missing.sort().join(', '))}: taken to have no labels but that of their name`,
    );
  }
  return [...namespaces, ...missing.map((name) => withItsName({ name, labels: {} }))];
}
