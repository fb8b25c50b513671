import type { KubeObject, ObjectMeta } from './store.ts';

/** `namespace/name`, or `name` for cluster-scoped objects: how events name what they are about. */
export function objectKey(metadata: Pick<ObjectMeta, 'name' | 'namespace'>): string {
  return metadata.namespace === undefined || metadata.namespace === ''
    ? metadata.name
    : `${metadata.namespace}/${metadata.name}`;
}

/** True when the value is an object with the metadata that every served object has, each member of its right type. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (!isRecord(value)) return false;
  const metadata = value['metadata'];
  return (
    isRecord(metadata) &&
    typeof metadata['name'] === 'string' &&
    metadata['name'] !== '' &&
    OPTIONAL_STRINGS.every((field) => isAbsentOr(metadata[field], 'string')) &&
    isAbsentOr(metadata['generation'], 'number') &&
    isStringMap(metadata['labels']) &&
    isStringMap(metadata['annotations'])
  );
}

/**
 * Order of two resource versions: negative, zero, positive; undefined when it cannot be told. Kubernetes gives versions
 * of one resource as decimal numbers that only grow (any other text is compared for equality alone).
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

const DECIMAL = /^(?:0|[1-9]\d*)$/;
const OPTIONAL_STRINGS = ['namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp'] as const;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsentOr(value: unknown, type: 'string' | 'number'): boolean {
  // Servers may send null for an absent member (creationTimestamp of objects inside templates).
  return value === undefined || value === null || typeof value === type;
}

function isStringMap(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    (isRecord(value) && Object.values(value).every((entry) => typeof entry === 'string'))
  );
}
