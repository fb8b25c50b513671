import { type FieldTerm, matchesFields } from './field-selector.ts';
import { childOf, stringMap } from './json.ts';
import { type LabelRequirement, matchesLabels } from './label-selector.ts';

/** What a list or watch asks for. */
export interface ObjectFilter {
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly labels: readonly LabelRequirement[];
  readonly fields: readonly FieldTerm[];
}

/** True when every object of the namespace passes, so that objects need not be parsed. */
export function passesAll(filter: ObjectFilter): boolean {
  return filter.labels.length === 0 && filter.fields.length === 0;
}

export function passes(filter: ObjectFilter, object: unknown): boolean {
  return (
    matchesLabels(filter.labels, stringMap(childOf(object, 'metadata')['labels'])) &&
    matchesFields(filter.fields, object)
  );
}
