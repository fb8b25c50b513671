/**
 * networking.k8s.io/v1 NetworkPolicy to the model, closed: an API server refuses most of what is refused here, but an
 * old object, a store without validation or a newer API may still give it. What was not understood isolates, allows
 * nothing, and is told. Fields that are not known are ignored.
 */
import type { LabelSelector, NetworkPolicy, PolicyProblem, PolicyRule } from '@canal/model';
import { err, ok, type Result } from 'net-types';
import type { FieldError } from './field-error.ts';
import { isAbsent, isJsonObject, itemsOf, type JsonObject, textOf } from './json-object.ts';
import { parseLabelSelector } from './label-selector.ts';
import { parsePolicyPeer } from './policy-peer.ts';
import { parsePolicyPort } from './policy-port.ts';
import { describeFieldError, policyProblem } from './policy-problem.ts';

/** An error when not even the namespace and name can be read: then nobody knows whom it concerns. */
export function parseNetworkPolicy(object: unknown): Result<NetworkPolicy, string> {
  const metadata = isJsonObject(object) ? object['metadata'] : undefined;
  if (!isJsonObject(object) || !isJsonObject(metadata)) {
    return err(describeFieldError({ field: 'metadata', value: metadata, expected: 'namespace and name' }));
  }
  const namespace = textOf(metadata['namespace']);
  const name = textOf(metadata['name']);
  if (namespace === undefined || name === undefined) {
    const missing = namespace === undefined ? 'namespace' : 'name';
    return err(describeFieldError({ field: `metadata.${missing}`, value: metadata[missing], expected: 'a name' }));
  }
  const uid = textOf(metadata['uid']) ?? '';
  return ok({ namespace, name, uid, ...readSpec(object['spec']) });
}

type ParsedSpec = Pick<NetworkPolicy, 'podSelector' | 'ingress' | 'egress' | 'problems'>;

const EVERY_POD: LabelSelector = [];

function readSpec(spec: unknown): ParsedSpec {
  if (!isJsonObject(spec)) {
    const error = { field: 'spec', value: spec, expected: 'an object' };
    const problem = policyProblem('Unreadable', error, 'every pod of the namespace is isolated in both directions');
    return { podSelector: EVERY_POD, ingress: [], egress: [], problems: [problem] };
  }
  const problems: PolicyProblem[] = [];
  const podSelector = readPodSelector(spec['podSelector'], problems);
  const types = readPolicyTypes(spec, problems);
  const readable = podSelector !== undefined;
  const ingress = types.ingress && readDirection(spec, 'ingress', types.ingress === 'named' && readable, problems);
  const egress = types.egress && readDirection(spec, 'egress', types.egress === 'named' && readable, problems);
  return { podSelector: podSelector ?? EVERY_POD, ...(ingress && { ingress }), ...(egress && { egress }), problems };
}

/** Undefined when it cannot be read: then every pod is isolated, and no rule is anybody's. */
function readPodSelector(selector: unknown, problems: PolicyProblem[]): LabelSelector | undefined {
  if (isAbsent(selector)) return EVERY_POD;
  const parsed = parseLabelSelector(selector, 'spec.podSelector');
  if (parsed.ok) return parsed.value;
  const consequence = 'the policy isolates every pod of its namespace and allows nothing';
  problems.push(policyProblem('InvalidSelector', parsed.error, consequence));
  return undefined;
}

interface PolicyTypes {
  /** 'feared': a type that cannot be read may have meant it: isolated, and nothing allowed. */
  readonly ingress: 'named' | 'feared' | undefined;
  readonly egress: 'named' | 'feared' | undefined;
}

/** Absent or empty: Ingress always, Egress when there are egress rules (the API server's default). */
function readPolicyTypes(spec: JsonObject, problems: PolicyProblem[]): PolicyTypes {
  const types = spec['policyTypes'];
  const isList = Array.isArray(types);
  if (isAbsent(types) || (isList && types.length === 0)) {
    const egress = spec['egress'];
    const none = isAbsent(egress) || (Array.isArray(egress) && egress.length === 0);
    return { ingress: 'named', egress: none ? undefined : 'named' };
  }
  const wrong: FieldError[] = itemsOf(types).flatMap((value, index) =>
    isPolicyType(value) ? [] : [{ field: `spec.policyTypes[${index}]`, value, expected: 'Ingress or Egress' }],
  );
  if (!isList) wrong.push({ field: 'spec.policyTypes', value: types, expected: 'a list of Ingress and Egress' });
  const consequence = 'its pods are isolated in both directions, and a direction not named allows nothing';
  for (const error of wrong) problems.push(policyProblem('InvalidPolicyType', error, consequence));
  const otherwise = wrong.length > 0 ? 'feared' : undefined;
  const stateOf = (type: string): PolicyTypes['ingress'] => (itemsOf(types).includes(type) ? 'named' : otherwise);
  return { ingress: stateOf('Ingress'), egress: stateOf('Egress') };
}

function isPolicyType(value: unknown): boolean {
  return value === 'Ingress' || value === 'Egress';
}

function readDirection(
  spec: JsonObject,
  direction: 'ingress' | 'egress',
  allows: boolean,
  problems: PolicyProblem[],
): readonly PolicyRule[] {
  const rules = spec[direction];
  if (!allows || isAbsent(rules)) return [];
  if (!Array.isArray(rules)) {
    const error = { field: `spec.${direction}`, value: rules, expected: 'a list of rules' };
    problems.push(policyProblem('Unreadable', error, `no ${direction} is allowed`));
    return [];
  }
  const peers = direction === 'ingress' ? 'from' : 'to';
  return rules.flatMap((rule: unknown, index) => {
    const field = `spec.${direction}[${index}]`;
    if (isJsonObject(rule)) return [readRule(rule, index, field, peers, problems)];
    problems.push(policyProblem('Unreadable', { field, value: rule, expected: 'a rule' }, 'this rule allows nothing'));
    return [];
  });
}

function readRule(
  rule: JsonObject,
  index: number,
  field: string,
  peers: 'from' | 'to',
  problems: PolicyProblem[],
): PolicyRule {
  return {
    index,
    peers: readItems(rule[peers], `${field}.${peers}`, parsePolicyPeer, INVALID_PEER, problems),
    ports: readItems(rule['ports'], `${field}.ports`, parsePolicyPort, INVALID_PORT, problems),
  };
}

interface ItemKind {
  readonly code: PolicyProblem['code'];
  readonly item: string;
  readonly list: string;
}

const INVALID_PEER: ItemKind = {
  code: 'InvalidPeer',
  item: 'this item matches nobody',
  list: 'this rule matches nobody',
};
const INVALID_PORT: ItemKind = {
  code: 'InvalidPort',
  item: 'this item allows nothing',
  list: 'this rule allows nothing',
};

/** 'any' for a list that is absent or empty as written; a list that lost its items stays empty. */
function readItems<T>(
  items: unknown,
  field: string,
  parse: (item: unknown, field: string) => Result<T, FieldError>,
  kind: ItemKind,
  problems: PolicyProblem[],
): 'any' | readonly T[] {
  if (isAbsent(items)) return 'any';
  if (!Array.isArray(items)) {
    problems.push(policyProblem(kind.code, { field, value: items, expected: 'a list' }, kind.list));
    return [];
  }
  if (items.length === 0) return 'any';
  return items.flatMap((item: unknown, index) => {
    const parsed = parse(item, `${field}[${index}]`);
    if (parsed.ok) return [parsed.value];
    problems.push(policyProblem(codeOf(parsed.error, kind), parsed.error, kind.item));
    return [];
  });
}

/** A selector inside a peer has a code of its own. */
function codeOf(error: FieldError, kind: ItemKind): PolicyProblem['code'] {
  return /\.(?:podSelector|namespaceSelector)\b/.test(error.field) ? 'InvalidSelector' : kind.code;
}
