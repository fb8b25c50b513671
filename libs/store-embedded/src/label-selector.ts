import { badRequest } from './api-error.ts';

/** One requirement of a label selector; all of a selector's requirements must hold. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'in' | 'not-in' | 'exists' | 'absent' | 'greater' | 'less';
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** Reads `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>5`; throws 400 on anything else. */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return splitRequirements(text).map((part) => parseRequirement(part, text));
}

export function matchesLabels(requirements: readonly LabelRequirement[], labels: Labels): boolean {
  return requirements.every((requirement) => holds(requirement, labels));
}

function holds({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const present = Object.hasOwn(labels, key);
  const value = labels[key] ?? '';
  switch (operator) {
    case 'in':
      return present && values.includes(value);
    // An object without the key satisfies both negations.
    case 'not-in':
      return !present || !values.includes(value);
    case 'exists':
      return present;
    case 'absent':
      return !present;
    case 'greater':
      return present && INTEGER.test(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case 'less':
      return present && INTEGER.test(value) && BigInt(value) < BigInt(values[0] ?? '0');
  }
}

/** Commas inside parentheses separate values, the others requirements. */
function splitRequirements(text: string): readonly string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '(') depth += 1;
    else if (char === ')') depth -= 1;
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function parseRequirement(part: string, whole: string): LabelRequirement {
  const match = REQUIREMENT.exec(part);
  const key = match?.groups?.['key'] ?? '';
  if (match?.groups === undefined || !isLabelKey(key)) throw unparsable(part, whole);
  const { not, operator, value, set, list } = match.groups;
  if (not !== undefined) {
    if (operator !== undefined || set !== undefined) throw unparsable(part, whole);
    return { key, operator: 'absent', values: [] };
  }
  if (set !== undefined) {
    const values = (list ?? '').split(',').map((item) => item.trim());
    if (!values.every(isLabelValue)) throw unparsable(part, whole);
    return { key, operator: set === 'in' ? 'in' : 'not-in', values };
  }
  if (operator === undefined) return { key, operator: 'exists', values: [] };
  const text = value ?? '';
  if (operator === '>' || operator === '<') {
    if (!INTEGER.test(text)) throw unparsable(part, whole);
    return { key, operator: operator === '>' ? 'greater' : 'less', values: [text] };
  }
  if (!isLabelValue(text)) throw unparsable(part, whole);
  return { key, operator: operator === '!=' ? 'not-in' : 'in', values: [text] };
}

const REQUIREMENT =
  /^\s*(?<not>!)?\s*(?<key>[^\s!=<>(),]+)\s*(?:(?<operator>==|=|!=|>|<)\s*(?<value>[^\s!=<>(),]*)|(?<set>in|notin)\s*\((?<list>[^()]*)\))?\s*$/;
const INTEGER = /^-?\d{1,18}$/;

function unparsable(part: string, whole: string): Error {
  return badRequest(`unable to parse requirement ${JSON.stringify(part)} of label selector ${JSON.stringify(whole)}`);
}

/** Optional DNS prefix and a name of at most 63 characters. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash === -1) return LABEL_NAME.test(text);
  return isDnsSubdomain(text.slice(0, slash)) && LABEL_NAME.test(text.slice(slash + 1));
}

export function isLabelValue(text: string): boolean {
  return text === '' || LABEL_NAME.test(text);
}

/** RFC 1123 subdomain as Kubernetes reads it: at most 253 lower-case characters. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text);
}

/** RFC 1123 label: at most 63 lower-case characters. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text);
}

const LABEL_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
