/** The cluster as it would be with objects in it as they are given, and others removed. See WantedObjects. */
import type { DiffRequest, PolicyDiff } from '@canal/admin-schema';
import { parseNetworkPolicy, parsePolicyNamespace, parsePolicyPod } from '@canal/api-schema';
import type { ClusterState } from '@canal/policy-diff';
import { ProblemError } from '../handler.ts';
import { boundedText } from './bounded-text.ts';

export interface AppliedObjects {
  readonly state: ClusterState;
  /** What of the objects policy agents would not understand. */
  readonly problems: PolicyDiff['problems'];
}

type JsonObject = Readonly<Record<string, unknown>>;
type FieldErrors = NonNullable<ProblemError['errors']>;

const API_VERSIONS: Readonly<Record<string, string>> = {
  NetworkPolicy: 'networking.k8s.io/v1',
  Namespace: 'v1',
  Pod: 'v1',
};

/** Throws ProblemError with all that cannot be applied. */
export function applyObjects(before: ClusterState, { objects, removed = [] }: DiffRequest): AppliedObjects {
  const world = new World(before);
  const problems: PolicyDiff['problems'] = [];
  const errors: FieldErrors = [];
  for (const [index, object] of objects.entries()) {
    const pointer = `/objects/${index}`;
    const kind = typeof object['kind'] === 'string' ? object['kind'] : '';
    const version = Object.hasOwn(API_VERSIONS, kind) ? API_VERSIONS[kind] : undefined;
    if (version === undefined) {
      errors.push({ pointer: `${pointer}/kind`, detail: `expected ${Object.keys(API_VERSIONS).join(', ')}` });
    } else if (object['apiVersion'] !== version) {
      errors.push({ pointer: `${pointer}/apiVersion`, detail: `expected ${version} for a ${kind}` });
    } else {
      const wrong = world.apply(kind, object, pointer, problems);
      if (wrong !== undefined) errors.push({ pointer, detail: boundedText(wrong, 500) });
    }
  }
  for (const [index, one] of removed.entries()) {
    const wrong = world.remove(one);
    if (wrong !== undefined) errors.push({ pointer: `/removed/${index}`, detail: wrong });
  }
  if (errors.length > 0) throw new ProblemError('invalid', `${errors.length} objects cannot be compared`, { errors });
  return { state: world.state(before), problems };
}

class World {
  readonly #policies: Map<string, ClusterState['policies'][number]>;
  readonly #namespaces: Map<string, ClusterState['namespaces'][number]>;
  readonly #pods: Map<string, ClusterState['pods'][number]>;

  constructor({ policies, namespaces, pods }: ClusterState) {
    const path = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;
    this.#policies = new Map(policies.map((policy) => [path(policy), policy]));
    this.#namespaces = new Map(namespaces.map((namespace) => [namespace.name, namespace]));
    this.#pods = new Map(pods.map((pod) => [path(pod), pod]));
  }

  state({ nodes }: ClusterState): ClusterState {
    return {
      policies: [...this.#policies.values()],
      namespaces: [...this.#namespaces.values()],
      pods: [...this.#pods.values()],
      nodes,
    };
  }

  /** What is wrong; undefined when it is applied. */
  apply(kind: string, object: JsonObject, pointer: string, problems: PolicyDiff['problems']): string | undefined {
    if (kind === 'NetworkPolicy') {
      const parsed = parseNetworkPolicy(object);
      if (!parsed.ok) return parsed.error;
      const { namespace, name } = parsed.value;
      this.#policies.set(`${namespace}/${name}`, parsed.value);
      for (const { code, field, message } of parsed.value.problems.slice(0, 100)) {
        problems.push({ object: pointer, code, field, message: boundedText(message, 1024) });
      }
      return undefined;
    }
    const named = withoutNulls(object);
    if (kind === 'Namespace') {
      const parsed = parsePolicyNamespace(named);
      if (!parsed.ok) return parsed.error;
      const { name, labels } = parsed.value;
      // The API server sets it on each.
      this.#namespaces.set(name, { name, labels: { ...labels, 'kubernetes.io/metadata.name': name } });
      return undefined;
    }
    const parsed = parsePolicyPod(named);
    if (!parsed.ok) return parsed.error;
    const { namespace, name, labels } = parsed.value;
    const path = `${namespace}/${name}`;
    const known = this.#pods.get(path);
    if (known === undefined)
      return `pod ${path} is not in the cluster: only labels of pods that are there are compared`;
    this.#pods.set(path, { ...known, labels });
    return undefined;
  }

  /** What is wrong; undefined when it is gone. A namespace takes with it what is in it. */
  remove({ kind, namespace, name }: NonNullable<DiffRequest['removed']>[number]): string | undefined {
    if ((kind === 'Namespace') !== (namespace === undefined)) {
      return kind === 'Namespace'
        ? 'a Namespace is in no namespace'
        : `namespace is absent: expected that of the ${kind}`;
    }
    const path = namespace === undefined ? name : `${namespace}/${name}`;
    const objects = { NetworkPolicy: this.#policies, Namespace: this.#namespaces, Pod: this.#pods }[kind];
    if (!objects.delete(path)) return `${kind} ${path} is not in the cluster`;
    if (kind === 'Namespace') {
      for (const inside of [this.#policies, this.#pods]) {
        for (const key of inside.keys()) if (key.startsWith(`${name}/`)) inside.delete(key);
      }
    }
    return undefined;
  }
}

/** Labels that are null are those that go, as in a merge patch (RFC 7386): of an object that is new there are none. */
function withoutNulls(object: JsonObject): JsonObject {
  const { metadata } = object;
  if (!isRecord(metadata) || !isRecord(metadata['labels'])) return object;
  const labels = Object.entries(metadata['labels']).filter(([, value]) => value !== null);
  return { ...object, metadata: { ...metadata, labels: Object.fromEntries(labels) } };
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
