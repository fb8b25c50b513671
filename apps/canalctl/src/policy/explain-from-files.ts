/** An explanation without a cluster: from pods, namespaces, policies and nodes in files. */
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
import { createPolicyEngine, type Explanation, type FlowQuestion } from '@canal/policy-compile';
import { type Ip, ipAdd, parseInterfaceName, parseIp, parseMac, type Result, unwrap } from 'net-types';
import { isJsonObject, textAt } from '../objects/json-object.ts';
import type { Manifest } from '../objects/manifest.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { PolicyAgentError } from './agent-error.ts';

export interface FilesExplanation {
  readonly explanation: Explanation;
  /** What was assumed because the files do not say it. */
  readonly notes: readonly string[];
}

interface Objects {
  readonly pods: PolicyPod[];
  readonly namespaces: PolicyNamespace[];
  readonly policies: NetworkPolicy[];
  readonly nodes: (NodeAddressRecord & { readonly name: string })[];
}

const CORRECT = 'correct the file and run the same command again';
const parseNodeAddresses = nodeAddressReader(unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX)));
/** RFC 2544: addresses for tests, which nobody else has. */
const FIRST_STAND_IN = unwrap(parseIp('198.18.0.1'));

/** Throws UsageError for objects that cannot be read, PolicyAgentError for a question without an answer. */
export function explainFromFiles(
  manifests: readonly Manifest[],
  question: FlowQuestion,
  defaultNamespace: string,
): FilesExplanation {
  const notes: string[] = [];
  const objects = readObjects(manifests, defaultNamespace, notes);
  const pods = withAddresses(objects.pods, notes);
  const engine = createPolicyEngine();
  for (const namespace of withImplied(objects, notes)) engine.putNamespace(namespace);
  for (const pod of pods) engine.putPod(pod);
  for (const policy of objects.policies) engine.putPolicy(policy);

  const subject = pods.find((pod) => isEnd(pod, question.destination));
  const { own, assumed, others } = nodeAddresses(objects.nodes, subject?.node);
  engine.setNodeAddresses(own, others);
  const source = parseIp(question.source);
  if (subject !== undefined && source.ok && assumed.includes(source.value)) {
    notes.push(
      `${question.source} is taken for an address of ${printableLine(subject.node)}: of its tunnel, or of its bridge`,
    );
  }
  if (subject !== undefined && !subject.hostNetwork && !subject.completed && subject.addresses.length > 0) {
    engine.putEndpoint({
      key: 'from-files',
      pod: { namespace: subject.namespace, name: subject.name, uid: subject.uid },
      // Nothing is asked of these two.
      hostInterface: unwrap(parseInterfaceName('cnl0')),
      mac: unwrap(parseMac('02:00:00:00:00:01')),
      mode: 'routed',
      addresses: subject.addresses,
    });
  }
  engine.flush();
  const explained = engine.explain(question);
  if (explained.ok) return { explanation: explained.value, notes };
  throw new PolicyAgentError(explained.error.code, explained.error.message);
}

function isEnd(pod: PolicyPod, text: string): boolean {
  const address = parseIp(text);
  if (!address.ok) return `${pod.namespace}/${pod.name}` === text;
  return !pod.hostNetwork && !pod.completed && pod.addresses.includes(address.value);
}

function readObjects(manifests: readonly Manifest[], defaultNamespace: string, notes: string[]): Objects {
  const objects: Objects = { pods: [], namespaces: [], policies: [], nodes: [] };
  for (const manifest of lastOfEach(manifests, defaultNamespace, notes)) {
    switch (typeOf(manifest)) {
      case POD:
        objects.pods.push(parsed(manifest, parsePolicyPod(inNamespace(manifest, defaultNamespace))));
        break;
      case NAMESPACE:
        objects.namespaces.push(withItsName(parsed(manifest, parsePolicyNamespace(manifest.object))));
        break;
      case POLICY:
        objects.policies.push(parsed(manifest, parseNetworkPolicy(inNamespace(manifest, defaultNamespace))));
        break;
      case NODE:
        objects.nodes.push({ name: manifest.name, ...parsed(manifest, parseNodeAddresses(manifest.object)) });
        break;
    }
  }
  return objects;
}

const [POD, NAMESPACE, NODE, POLICY] = ['v1 Pod', 'v1 Namespace', 'v1 Node', 'networking.k8s.io/v1 NetworkPolicy'];

function typeOf({ apiVersion, kind }: Manifest): string {
  return `${apiVersion} ${kind}`;
}

/** As an API server would have it after applying all in turn: of objects of one name the last. */
function lastOfEach(manifests: readonly Manifest[], defaultNamespace: string, notes: string[]): readonly Manifest[] {
  const byName = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const type = typeOf(manifest);
    if (![POD, NAMESPACE, NODE, POLICY].includes(type)) continue;
    const { name, namespace = defaultNamespace, kind, where } = manifest;
    const key = type === POD || type === POLICY ? `${namespace}/${name}` : name;
    const before = byName.get(`${type} ${key}`);
    if (before !== undefined) {
      notes.push(printableLine(`${kind} ${key} stands in ${before.where} and in ${where}: the latter counts`));
    }
    byName.set(`${type} ${key}`, manifest);
  }
  return [...byName.values()];
}

function parsed<T>({ where }: Manifest, result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new UsageError(`${where}: ${result.error}`, CORRECT);
}

/** As an API server would have it: the namespace said, and an identity for each pod. */
function inNamespace({ object, namespace, kind, name }: Manifest, defaultNamespace: string): unknown {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const own = namespace ?? defaultNamespace;
  const uid = textAt(metadata, 'uid') || `${kind}/${own}/${name}`;
  return { ...object, metadata: { ...metadata, uid, namespace: own } };
}

interface NodeAddressSets {
  /** Of the destination's node, which judges what comes to it and lets its own pass. */
  readonly own: readonly Ip[];
  /** Of these, what its devices have or not: the files do not tell. */
  readonly assumed: readonly Ip[];
  readonly others: readonly Ip[];
}

function nodeAddresses(nodes: Objects['nodes'], ownName: string | undefined): NodeAddressSets {
  const [isOwn, isOther] = [nodes.filter(({ name }) => name === ownName), nodes.filter(({ name }) => name !== ownName)];
  // On a bridge the node speaks to its pods from the second address of each block. No pod ever gets either.
  const assumed = isOwn
    .flatMap(({ tunnelAddresses }) => tunnelAddresses)
    .flatMap((first) => [first, ipAdd(first, 1) ?? first]);
  const own = [...isOwn.flatMap(({ addresses }) => addresses), ...assumed];
  const others = isOther.flatMap(({ addresses, tunnelAddresses }) => [...addresses, ...tunnelAddresses]);
  return { own, assumed, others: others.filter((ip) => !own.includes(ip)) };
}

/** A pod that nobody has run yet has none, and is asked about all the same. */
function withAddresses(pods: readonly PolicyPod[], notes: string[]): readonly PolicyPod[] {
  let next: Ip | undefined = FIRST_STAND_IN;
  let given = 0;
  const addressed = pods.map((pod) => {
    if (pod.addresses.length > 0 || pod.hostNetwork || pod.completed || next === undefined) return pod;
    const addresses = [next];
    next = ipAdd(next, 1);
    given++;
    return { ...pod, addresses };
  });
  if (given > 0) {
    notes.push(
      `pods without an address in the files (${given}) stand at 198.18.0.1 and up: rules with an ipBlock may judge them otherwise`,
    );
  }
  return addressed;
}

const NAME_LABEL = 'kubernetes.io/metadata.name';

/** Every namespace has the label of its name: the API server puts it there, whatever the manifest says. */
function withItsName({ name, labels }: PolicyNamespace): PolicyNamespace {
  return { name, labels: { ...labels, [NAME_LABEL]: name } };
}

/** Those that the files do not hold, too. */
function withImplied({ namespaces, pods, policies }: Objects, notes: string[]): readonly PolicyNamespace[] {
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
