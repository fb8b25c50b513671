/** A NetworkPolicy, held to what the policy agent accepts, and to what an API server refuses before. */
import { parseNetworkPolicy } from '@canal/api-schema';
import { isJsonObject, type JsonObject, textAt, valueAt } from '../objects/json-object.ts';
import { type FieldFinding, pathOfField } from './finding.ts';
import { NETWORK_POLICY_SHAPE, unknownFields } from './unknown-fields.ts';

export const POLICY_VERSION = 'networking.k8s.io/v1';

export function validatePolicy(object: JsonObject, defaultNamespace: string): readonly FieldFinding[] {
  const version = textAt(object, 'apiVersion') ?? '';
  if (version !== POLICY_VERSION) return [wrongVersion(version)];
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : undefined;
  const namespace = textAt(metadata, 'namespace') ?? defaultNamespace;
  const parsed = parseNetworkPolicy({ ...object, ...(metadata && { metadata: { ...metadata, namespace } }) });
  const problems: FieldFinding[] = parsed.ok
    ? parsed.value.problems.map(({ field, message }) => ({ severity: 'error', path: pathOfField(field), message }))
    : [{ severity: 'error', path: ['metadata'], message: parsed.error }];
  return [
    ...problems,
    ...nameFindings(metadata),
    ...unknownFields(object, NETWORK_POLICY_SHAPE),
    ...ignoredRules(object),
  ];
}

function wrongVersion(version: string): FieldFinding {
  const isCalico = version.endsWith('projectcalico.org/v3') || version.endsWith('projectcalico.org/v1');
  const follows = isCalico ? 'it is a kind of Calico, which canal does not enforce' : 'canal does not enforce it';
  const message = `apiVersion is ${JSON.stringify(version)}: expected ${JSON.stringify(POLICY_VERSION)}; ${follows}`;
  return { severity: 'error', path: ['apiVersion'], message };
}

/** RFC 1123, as Kubernetes asks it of names. */
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

function nameFindings(metadata: JsonObject | undefined): readonly FieldFinding[] {
  const wanted = [
    ['name', SUBDOMAIN, 'letters in lower case, digits, "-" and "."'],
    ['namespace', LABEL, 'at most 63 letters in lower case, digits and "-"'],
  ] as const;
  return wanted.flatMap(([field, pattern, expected]): FieldFinding[] => {
    const value = textAt(metadata, field);
    if (value === undefined || value === '' || pattern.test(value)) return [];
    const message = `metadata.${field} is ${JSON.stringify(value.slice(0, 80))}: expected ${expected}; an API server refuses it`;
    return [{ severity: 'error', path: ['metadata', field], message }];
  });
}

/** Rules of a direction that policyTypes does not name are nobody's. */
function ignoredRules(object: JsonObject): readonly FieldFinding[] {
  const types = valueAt(object, 'spec', 'policyTypes');
  if (!Array.isArray(types) || types.length === 0) return [];
  const directions = [
    ['ingress', 'Ingress'],
    ['egress', 'Egress'],
  ] as const;
  return directions.flatMap(([field, type]): FieldFinding[] => {
    const rules = valueAt(object, 'spec', field);
    if (!Array.isArray(rules) || rules.length === 0 || types.includes(type)) return [];
    const message = `spec.${field} has rules: expected ${type} in spec.policyTypes; without it they mean nothing`;
    return [{ severity: 'warning', path: ['spec', field], message }];
  });
}
