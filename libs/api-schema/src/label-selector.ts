/**
 * metav1.LabelSelector to the model. What has no one meaning (an unknown operator, In without values, Exists with some)
 * is refused as in k8s.io/apimachinery LabelSelectorAsSelector; keys and values that no label could have are taken as
 * they are, since old objects may hold them and what they match is certain.
 */
import type { LabelRequirement, LabelSelector } from '@canal/model';
import { err, ok, type Result } from 'net-types';
import type { FieldError } from './field-error.ts';
import { isAbsent, isJsonObject } from './json-object.ts';

type Read<T> = Result<T, FieldError>;

const EVERYTHING: LabelSelector = [];

/** The selector in canonical order, or the first field that could not be read. */
export function parseLabelSelector(selector: unknown, field: string): Read<LabelSelector> {
  if (!isJsonObject(selector)) return err({ field, value: selector, expected: 'a label selector' });
  const labels = readMatchLabels(selector['matchLabels'], `${field}.matchLabels`);
  if (!labels.ok) return labels;
  const expressions = readMatchExpressions(selector['matchExpressions'], `${field}.matchExpressions`);
  if (!expressions.ok) return expressions;
  const all = [...labels.value, ...expressions.value];
  return ok(all.length === 0 ? EVERYTHING : canonical(all));
}

function readMatchLabels(labels: unknown, field: string): Read<LabelRequirement[]> {
  if (isAbsent(labels)) return ok([]);
  if (!isJsonObject(labels)) return err({ field, value: labels, expected: 'label values by key' });
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(labels)) {
    if (typeof value !== 'string') return err({ field: `${field}.${key}`, value, expected: 'a label value' });
    requirements.push({ key, operator: 'In', values: [value] });
  }
  return ok(requirements);
}

function readMatchExpressions(expressions: unknown, field: string): Read<LabelRequirement[]> {
  if (isAbsent(expressions)) return ok([]);
  if (!Array.isArray(expressions)) return err({ field, value: expressions, expected: 'a list of requirements' });
  const requirements: LabelRequirement[] = [];
  for (const [index, expression] of expressions.entries()) {
    const requirement = readRequirement(expression, `${field}[${index}]`);
    if (!requirement.ok) return requirement;
    requirements.push(requirement.value);
  }
  return ok(requirements);
}

function readRequirement(expression: unknown, field: string): Read<LabelRequirement> {
  if (!isJsonObject(expression)) return err({ field, value: expression, expected: 'key, operator and values' });
  const { key, operator } = expression;
  if (typeof key !== 'string' || key === '') {
    return err({ field: `${field}.key`, value: key, expected: 'the key of a label' });
  }
  const values = readValues(expression['values'], `${field}.values`);
  if (!values.ok) return values;
  const count = values.value.length;
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (count > 0) return ok({ key, operator, values: [...new Set(values.value)].sort() });
      return err({ field: `${field}.values`, value: expression['values'], expected: `values for ${operator}` });
    case 'Exists':
    case 'DoesNotExist':
      if (count === 0) return ok({ key, operator });
      return err({ field: `${field}.values`, value: expression['values'], expected: `no values for ${operator}` });
    default: {
      const expected = 'In, NotIn, Exists or DoesNotExist';
      return err({ field: `${field}.operator`, value: operator, expected });
    }
  }
}

function readValues(values: unknown, field: string): Read<readonly string[]> {
  if (isAbsent(values)) return ok([]);
  if (!Array.isArray(values)) return err({ field, value: values, expected: 'a list of label values' });
  const wrong = values.findIndex((value) => typeof value !== 'string');
  if (wrong === -1) return ok(values as string[]);
  return err({ field: `${field}[${wrong}]`, value: values[wrong] as unknown, expected: 'a label value' });
}

/** Requirements all hold, so their order and how often each is written say nothing. */
function canonical(requirements: readonly LabelRequirement[]): LabelSelector {
  const byText = new Map(requirements.map((requirement) => [textOfRequirement(requirement), requirement]));
  return [...byText.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, requirement]) => requirement);
}

/** Sorts by key, operator, values: a control character stands between them, below all that labels are made of. */
function textOfRequirement(requirement: LabelRequirement): string {
  const values = 'values' in requirement ? requirement.values : [];
  return [requirement.key, requirement.operator, ...values].join('\u0000');
}
