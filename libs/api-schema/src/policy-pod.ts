/**
 * Pods and namespaces to what policy uses of them. An agent reads every pod of the cluster, so these readers are
 * written by hand: 2 µs and some 500 bytes a pod, and one unreadable address costs that address alone. Texts that
 * repeat need no pool: the runtime's JSON parser gives equal short texts as one (measured with 150,000 pods).
 */
import type { Labels, NamedPort, PolicyNamespace, PolicyPod } from '@canal/model';
import { err, type Ip, ok, parseIp, type Result } from 'net-types';
import type { FieldError } from './field-error.ts';
import { isAbsent, isJsonObject, itemsOf, type JsonObject, textOf } from './json-object.ts';
import { isPortNumber, readProtocol } from './policy-port.ts';
import { describeFieldError } from './policy-problem.ts';

const NO_LABELS: Labels = Object.freeze({});
const NO_ADDRESSES: readonly Ip[] = Object.freeze([]);
const NO_PORTS: readonly NamedPort[] = Object.freeze([]);

/** All that `parsePolicyPod` reads. */
export const POLICY_POD_FIELDS = {
  metadata: {
    name: true,
    namespace: true,
    uid: true,
    labels: true,
    annotations: { 'kubernetes.io/config.mirror': true },
    creationTimestamp: true,
    deletionTimestamp: true,
  },
  spec: {
    nodeName: true,
    hostNetwork: true,
    containers: { ports: { name: true, containerPort: true, protocol: true } },
    initContainers: { ports: { name: true, containerPort: true, protocol: true } },
  },
  status: { phase: true, podIP: true, podIPs: { ip: true } },
} as const;

/**
 * The pod, or one sentence with what makes it unreadable: name, namespace, labels or hostNetwork, without which nobody
 * knows what policy says of it. An address or a port that cannot be read is left out: then nothing is allowed for it.
 */
export function parsePolicyPod(object: unknown): Result<PolicyPod, string> {
  const metadata = isJsonObject(object) ? object['metadata'] : undefined;
  if (!isJsonObject(object) || !isJsonObject(metadata)) {
    return refuse({ field: 'metadata', value: metadata, expected: 'namespace and name' });
  }
  const namespace = textOf(metadata['namespace']);
  if (namespace === undefined) return refuseName('metadata.namespace', metadata['namespace']);
  const name = textOf(metadata['name']);
  if (name === undefined) return refuseName('metadata.name', metadata['name']);
  const labels = readLabels(metadata['labels']);
  if (!labels.ok) return labels;
  const spec = object['spec'] ?? {};
  if (!isJsonObject(spec)) return refuse({ field: 'spec', value: spec, expected: 'an object' });
  const hostNetwork = spec['hostNetwork'] ?? false;
  if (typeof hostNetwork !== 'boolean') {
    return refuse({ field: 'spec.hostNetwork', value: hostNetwork, expected: 'true or false' });
  }
  const status = isJsonObject(object['status']) ? object['status'] : {};
  return ok({
    namespace,
    name,
    uid: readUid(metadata),
    labels: labels.value,
    addresses: readAddresses(status),
    node: textOf(spec['nodeName']) ?? '',
    hostNetwork,
    completed: status['phase'] === 'Succeeded' || status['phase'] === 'Failed',
    ports: readNamedPorts(spec),
    createdMs: readTime(metadata['creationTimestamp']),
    ...(!isAbsent(metadata['deletionTimestamp']) && { deleting: true }),
  });
}

export function parsePolicyNamespace(object: unknown): Result<PolicyNamespace, string> {
  const metadata = isJsonObject(object) ? object['metadata'] : undefined;
  if (!isJsonObject(metadata)) return refuse({ field: 'metadata', value: metadata, expected: 'a name' });
  const name = textOf(metadata['name']);
  if (name === undefined) return refuseName('metadata.name', metadata['name']);
  const labels = readLabels(metadata['labels']);
  return labels.ok ? ok({ name, labels: labels.value }) : labels;
}

function refuse(error: FieldError): Result<never, string> {
  return err(describeFieldError(error));
}

function refuseName(field: string, value: unknown): Result<never, string> {
  return refuse({ field, value, expected: 'a name' });
}

/**
 * A static pod is known to the runtime by the uid that its kubelet gave it; the API's object is a mirror with a uid of
 * its own, and names the other in an annotation (pkg/kubelet/pod/mirror_client.go).
 */
function readUid(metadata: JsonObject): string {
  const annotations = metadata['annotations'];
  const mirrored = isJsonObject(annotations) ? textOf(annotations['kubernetes.io/config.mirror']) : undefined;
  return mirrored ?? textOf(metadata['uid']) ?? '';
}

/** A copy: the object that was read is not kept alive. */
function readLabels(labels: unknown): Result<Labels, string> {
  if (isAbsent(labels)) return ok(NO_LABELS);
  if (!isJsonObject(labels)) return refuse({ field: 'metadata.labels', value: labels, expected: 'texts by key' });
  const read: Record<string, string> = {};
  let count = 0;
  for (const key of Object.keys(labels)) {
    const value = labels[key];
    if (typeof value !== 'string') {
      return refuse({ field: `metadata.labels.${key}`, value, expected: 'a text' });
    }
    // `__proto__` is no key of labels, and an assignment to it would be lost.
    if (key === '__proto__') return refuse({ field: 'metadata.labels', value: key, expected: 'keys of labels' });
    read[key] = value;
    count++;
  }
  return ok(count === 0 ? NO_LABELS : read);
}

/** status.podIPs; podIP where a server gives that alone. */
function readAddresses(status: JsonObject): readonly Ip[] {
  const addresses: Ip[] = [];
  for (const item of itemsOf(status['podIPs'])) addAddress(addresses, isJsonObject(item) ? item['ip'] : undefined);
  if (addresses.length === 0) addAddress(addresses, status['podIP']);
  return addresses.length === 0 ? NO_ADDRESSES : addresses;
}

function addAddress(addresses: Ip[], text: unknown): void {
  if (typeof text !== 'string') return;
  const ip = parseIp(text);
  if (ip.ok && !addresses.includes(ip.value)) addresses.push(ip.value);
}

/** Of all containers that can have ports; init containers that restart are sidecars. */
function readNamedPorts(spec: JsonObject): readonly NamedPort[] {
  const ports: NamedPort[] = [];
  for (const containers of [spec['containers'], spec['initContainers']]) {
    for (const container of itemsOf(containers)) {
      if (!isJsonObject(container)) continue;
      for (const item of itemsOf(container['ports'])) {
        const port = readNamedPort(item);
        if (port !== undefined) ports.push(port);
      }
    }
  }
  if (ports.length < 2) return ports.length === 0 ? NO_PORTS : ports;
  const distinct = new Map(ports.map((port) => [`${port.name} ${port.protocol} ${port.port}`, port]));
  return distinct.size === ports.length ? ports : [...distinct.values()];
}

function readNamedPort(item: unknown): NamedPort | undefined {
  if (!isJsonObject(item)) return undefined;
  const name = textOf(item['name']);
  const port = item['containerPort'];
  const protocol = readProtocol(item['protocol']);
  if (name === undefined || protocol === undefined || !isPortNumber(port)) return undefined;
  return { name, protocol, port };
}

/** Zero for what is no time: of two pods with one address the other has it. */
function readTime(text: unknown): number {
  const ms = typeof text === 'string' ? Date.parse(text) : NaN;
  return Number.isFinite(ms) ? ms : 0;
}
