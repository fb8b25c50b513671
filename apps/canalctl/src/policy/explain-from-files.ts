/** An explanation without a cluster: from pods, namespaces, policies and nodes in files. */
import type { PolicyPod } from '@canal/model';
import { createPolicyEngine, type Explanation, type FlowQuestion } from '@canal/policy-compile';
import { type Ip, ipAdd, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import type { Manifest } from '../objects/manifest.ts';
import { printableLine } from '../printable.ts';
import { PolicyAgentError } from './agent-error.ts';
import {
  namespacesOf,
  parsePolicyObjects,
  policyManifests,
  type PolicyObjects,
  standInAddresses,
  withAddresses,
} from './policy-objects.ts';

export interface FilesExplanation {
  readonly explanation: Explanation;
  /** What was assumed because the files do not say it. */
  readonly notes: readonly string[];
}

/** Throws UsageError for objects that cannot be read, PolicyAgentError for a question without an answer. */
export function explainFromFiles(
  manifests: readonly Manifest[],
  question: FlowQuestion,
  defaultNamespace: string,
): FilesExplanation {
  const notes: string[] = [];
  const objects = parsePolicyObjects(policyManifests(manifests, defaultNamespace, notes).values());
  const pods = withAddresses(objects.pods, standInAddresses([objects.pods], notes));
  const engine = createPolicyEngine();
  for (const namespace of namespacesOf(objects, notes)) engine.putNamespace(namespace);
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

interface NodeAddressSets {
  /** Of the destination's node, which judges what comes to it and lets its own pass. */
  readonly own: readonly Ip[];
  /** Of these, what its devices have or not: the files do not tell. */
  readonly assumed: readonly Ip[];
  readonly others: readonly Ip[];
}

function nodeAddresses(nodes: PolicyObjects['nodes'], ownName: string | undefined): NodeAddressSets {
  const [isOwn, isOther] = [nodes.filter(({ name }) => name === ownName), nodes.filter(({ name }) => name !== ownName)];
  // On a bridge the node speaks to its pods from the second address of each block. No pod ever gets either.
  const assumed = isOwn
    .flatMap(({ tunnelAddresses }) => tunnelAddresses)
    .flatMap((first) => [first, ipAdd(first, 1) ?? first]);
  const own = [...isOwn.flatMap(({ addresses }) => addresses), ...assumed];
  const others = isOther.flatMap(({ addresses, tunnelAddresses }) => [...addresses, ...tunnelAddresses]);
  return { own, assumed, others: others.filter((ip) => !own.includes(ip)) };
}
