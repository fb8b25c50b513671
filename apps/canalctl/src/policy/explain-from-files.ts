/** An explanation without a cluster: from pods, namespaces, policies and nodes in files. */
import { parseNetworkPolicy, parsePolicyNamespace, parsePolicyPod } from '@canal/api-schema';
import type { NetworkPolicy, PolicyNamespace, PolicyPod } from '@canal/model';
import { createPolicyEngine, type Explanation, type FlowQuestion } from '@canal/policy-compile';
import { type Ip, ipAdd, parseInterfaceName, parseIp, parseMac, type Result, unwrap } from 'net-types';
import { isJsonObject, textAt } from '../objects/json-object.ts';
import type { Manifest } from '../objects/manifest.ts';
import { readManifests } from '../objects/read-manifests.ts';
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
  readonly nodes: { readonly name: string; readonly addresses: readonly Ip[] }[];
}

const CORRECT = 'correct the file and run the same command again';
/** RFC 2544: addresses for tests, which nobody else has. */
const FIRST_STAND_IN = unwrap(parseIp('198.18.0.1'));

/** Throws UsageError for files that cannot be read, PolicyAgentError for a question without an answer. */
export function explainFromFiles(
  files: readonly string[],
  question: FlowQuestion,
  defaultNamespace: string,
): FilesExplanation {
  const notes: string[] = [];
  const objects = readObjects(files, defaultNamespace);
  const pods = withAddresses(objects.pods, notes);
  const engine = createPolicyEngine();
  for (const namespace of withImplied(objects, notes)) engine.putNamespace(namespace);
  for (const pod of pods) engine.putPod(pod);
  for (const policy of objects.policies) engine.putPolicy(policy);

  // The node of the destination is the one that judges what comes from itself.
  const subject = pods.find((pod) => isEnd(pod, question.destination));
  const isOwn = ({ name }: { readonly name: string }): boolean => name === subject?.node;
  const addresses = (nodes: Objects['nodes']): readonly Ip[] => nodes.flatMap((node) => node.addresses);
  engine.setNodeAddresses(
    addresses(objects.nodes.filter(isOwn)),
    addresses(objects.nodes.filter((node) => !isOwn(node))),
  );
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

function readObjects(files: readonly string[], defaultNamespace: string): Objects {
  const objects: Objects = { pods: [], namespaces: [], policies: [], nodes: [] };
  for (const manifest of files.flatMap(readManifests)) {
    const { kind, apiVersion, name } = manifest;
    switch (`${apiVersion} ${kind}`) {
      case 'v1 Pod':
        objects.pods.push(parsed(manifest, parsePolicyPod(inNamespace(manifest, defaultNamespace))));
        break;
      case 'v1 Namespace':
        objects.namespaces.push(parsed(manifest, parsePolicyNamespace(manifest.object)));
        break;
      case 'networking.k8s.io/v1 NetworkPolicy':
        objects.policies.push(parsed(manifest, parseNetworkPolicy(inNamespace(manifest, defaultNamespace))));
        break;
      case 'v1 Node':
        objects.nodes.push({ name, addresses: nodeAddresses(manifest) });
        break;
    }
  }
  return objects;
}

function parsed<T>({ where }: Manifest, result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new UsageError(`${where}: ${result.error}`, CORRECT);
}

/** As an API server would have it: the namespace said, and an identity for each pod. */
function inNamespace({ object, namespace, kind, name }: Manifest, defaultNamespace: string): unknown {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const own = namespace ?? defaultNamespace;
  return { ...object, metadata: { uid: `${kind}/${own}/${name}`, ...metadata, namespace: own } };
}

function nodeAddresses({ object }: Manifest): readonly Ip[] {
  const status = object['status'];
  const list: unknown = isJsonObject(status) ? status['addresses'] : undefined;
  return (Array.isArray(list) ? list : []).flatMap((entry: unknown) => {
    const ip = parseIp(textAt(entry, 'address') ?? '');
    return ip.ok ? [ip.value] : [];
  });
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

/** Namespaces that the files do not hold have the label of their name, as every namespace has. */
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
  return [...namespaces, ...missing.map((name) => ({ name, labels: { 'kubernetes.io/metadata.name': name } }))];
}
