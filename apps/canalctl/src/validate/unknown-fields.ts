/** Fields that a kind does not have: a misspelt one is ignored, and the rule is wider or narrower than it reads. */
import { isJsonObject } from '../objects/json-object.ts';
import type { FieldFinding } from './finding.ts';
import type { Path } from './located-text.ts';

export type Shape =
  /** Whatever it is. */
  'any' | { readonly fields: Readonly<Record<string, Shape>> } | { readonly items: Shape };

const MAX_DEPTH = 32;

export function unknownFields(value: unknown, shape: Shape, path: Path = []): readonly FieldFinding[] {
  if (shape === 'any' || path.length > MAX_DEPTH) return [];
  if ('items' in shape) {
    if (!Array.isArray(value)) return [];
    return value.flatMap((item: unknown, index) => unknownFields(item, shape.items, [...path, index]));
  }
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([name, inside]) => {
    const known = Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined;
    const at = [...path, name];
    return known === undefined ? [unknownField(at, Object.keys(shape.fields))] : unknownFields(inside, known, at);
  });
}

function unknownField(path: Path, known: readonly string[]): FieldFinding {
  const name = String(path.at(-1));
  const meant = known.find((one) => one.toLowerCase() === name.toLowerCase());
  const expected = meant === undefined ? [...known].sort().join(', ') : `${meant} (in these letters)`;
  return {
    severity: 'error',
    path,
    message: `${fieldOf(path)} is no field: expected ${expected}; it is ignored, or refused by the API server`,
  };
}

function fieldOf(path: Path): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  );
}

const SELECTOR: Shape = {
  fields: {
    matchLabels: 'any',
    matchExpressions: { items: { fields: { key: 'any', operator: 'any', values: 'any' } } },
  },
};
const PEERS: Shape = {
  items: {
    fields: {
      podSelector: SELECTOR,
      namespaceSelector: SELECTOR,
      ipBlock: { fields: { cidr: 'any', except: 'any' } },
    },
  },
};
const PORTS: Shape = { items: { fields: { protocol: 'any', port: 'any', endPort: 'any' } } };

/** networking.k8s.io/v1. */
export const NETWORK_POLICY_SHAPE: Shape = {
  fields: {
    apiVersion: 'any',
    kind: 'any',
    metadata: {
      fields: Object.fromEntries(
        // meta/v1 ObjectMeta.
        (
          'annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation ' +
          'labels managedFields name namespace ownerReferences resourceVersion selfLink uid'
        )
          .split(' ')
          .map((name) => [name, 'any'] as const),
      ),
    },
    spec: {
      fields: {
        podSelector: SELECTOR,
        policyTypes: 'any',
        ingress: { items: { fields: { from: PEERS, ports: PORTS } } },
        egress: { items: { fields: { to: PEERS, ports: PORTS } } },
      },
    },
    status: 'any',
  },
};
