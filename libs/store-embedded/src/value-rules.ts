import type { StatusCause } from './api-error.ts';
import { isJson, type Json } from './json.ts';
import { isLabelKey, isLabelValue } from './label-selector.ts';

/** The common forms of complaints about values, worded as Kubernetes words them. */
export function required(field: string, message = ''): StatusCause {
  return {
    reason: 'FieldValueRequired',
    field,
    message: message === '' ? 'Required value' : `Required value: ${message}`,
  };
}

export function invalidValue(field: string, value: unknown, expected: string): StatusCause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${expected}` };
}

export function notSupported(field: string, value: unknown, supported: readonly string[]): StatusCause {
  const list = supported.map((item) => JSON.stringify(item)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
  };
}

export function forbiddenField(field: string, message: string): StatusCause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${message}` };
}

export function duplicateValue(field: string, value: unknown): StatusCause {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

export type Causes = readonly StatusCause[];

/** Runs `check` over the objects of a list that may be absent; `field` gets the index. */
export function forEachItem(list: unknown, field: string, check: (item: Json, field: string) => Causes): Causes {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown, index) => (isJson(item) ? check(item, `${field}[${String(index)}]`) : []));
}

/** Values of a list that may be absent. */
export function itemsOf(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : [];
}

/** An absent member passes; a present one must be one of these. */
export function oneOf(object: Json, name: string, field: string, supported: readonly string[]): Causes {
  const value = object[name];
  if (value === undefined || (typeof value === 'string' && supported.includes(value))) return [];
  return [notSupported(`${field}.${name}`, value, supported)];
}

/** Later values that equal an earlier one. */
export function duplicates(values: readonly unknown[], fieldOf: (index: number) => string): Causes {
  const seen = new Set<unknown>();
  return values.flatMap((value, index) => {
    if (value === undefined || value === '') return [];
    const again = seen.has(value);
    seen.add(value);
    return again ? [duplicateValue(fieldOf(index), value)] : [];
  });
}

export function portNumberErrors(value: unknown, field: string): Causes {
  const valid = typeof value === 'number' && value >= 1 && value <= 65_535;
  return valid ? [] : [invalidValue(field, value, 'must be between 1 and 65535, inclusive')];
}

/** RFC 6335 service name, as ports are named. */
export function portNameErrors(value: unknown, field: string): Causes {
  const valid = typeof value === 'string' && value.length <= 15 && PORT_NAME.test(value) && !value.includes('--');
  return valid
    ? []
    : [
        invalidValue(
          field,
          value,
          'a port name has at most 15 characters: lower-case letters, digits and single inner "-", with at least one letter',
        ),
      ];
}

/** A map of labels, wherever it stands. */
export function labelErrors(labels: unknown, field: string): Causes {
  if (!isJson(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => [
    ...(isLabelKey(key) ? [] : [invalidValue(field, key, LABEL_KEY_TEXT)]),
    ...(typeof value === 'string' && isLabelValue(value) ? [] : [invalidValue(field, value, LABEL_VALUE_TEXT)]),
  ]);
}

/** A `LabelSelector` object (matchLabels, matchExpressions). */
export function labelSelectorErrors(selector: unknown, field: string): Causes {
  if (!isJson(selector)) return [];
  return [
    ...labelErrors(selector['matchLabels'], `${field}.matchLabels`),
    ...forEachItem(selector['matchExpressions'], `${field}.matchExpressions`, expressionErrors),
  ];
}

function expressionErrors(expression: Json, field: string): Causes {
  const { key, operator } = expression;
  const values = itemsOf(expression['values']);
  const causes: StatusCause[] = [];
  if (typeof key !== 'string' || key === '') causes.push(required(`${field}.key`));
  else if (!isLabelKey(key)) causes.push(invalidValue(`${field}.key`, key, LABEL_KEY_TEXT));
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) {
      causes.push(required(`${field}.values`, 'must be specified when `operator` is In or NotIn'));
    }
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      causes.push(forbiddenField(`${field}.values`, 'may not be specified when `operator` is Exists or DoesNotExist'));
    }
  } else {
    causes.push(invalidValue(`${field}.operator`, operator ?? '', 'not a valid selector operator'));
  }
  values.forEach((value, index) => {
    if (typeof value === 'string' && isLabelValue(value)) return;
    causes.push(invalidValue(`${field}.values[${String(index)}]`, value, LABEL_VALUE_TEXT));
  });
  return causes;
}

export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;

const PORT_NAME = /^(?=.*[a-z])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const LABEL_KEY_TEXT =
  'a label key is an optional DNS prefix with "/", then at most 63 characters: letters, digits, "-", "_", ".", starting and ending alphanumeric';
const LABEL_VALUE_TEXT =
  'a label value has at most 63 characters: letters, digits, "-", "_", ".", starting and ending alphanumeric';
