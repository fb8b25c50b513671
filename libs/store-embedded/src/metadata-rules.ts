import type { StatusCause } from './api-error.ts';
import { childOf, type Json, textOf } from './json.ts';
import { isLabelKey } from './label-selector.ts';
import type { ResourceDefinition } from './resource.ts';
import { type Causes, invalidValue, labelErrors, required } from './value-rules.ts';

/** Name, labels, annotations and finalizers as every kind is held to them. */
export function metadataErrors(resource: ResourceDefinition, object: Json): Causes {
  const metadata = childOf(object, 'metadata');
  const name = textOf(metadata, 'name');
  const causes: StatusCause[] = [];
  if (name === '') causes.push(required('metadata.name', 'name or generateName is required'));
  else if (!resource.validName(name)) causes.push(invalidValue('metadata.name', name, NAME_TEXT));
  return [
    ...causes,
    ...labelErrors(metadata['labels'], 'metadata.labels'),
    ...annotationErrors(childOf(metadata, 'annotations')),
    ...finalizerErrors(metadata['finalizers']),
  ];
}

function annotationErrors(annotations: Json): Causes {
  const causes: StatusCause[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    if (!isLabelKey(key.toLowerCase())) causes.push(invalidValue('metadata.annotations', key, KEY_TEXT));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(String(value));
  }
  if (bytes > MAX_ANNOTATION_BYTES) {
    const message = `Too long: may not be more than ${String(MAX_ANNOTATION_BYTES)} bytes`;
    causes.push({ reason: 'FieldValueTooLong', field: 'metadata.annotations', message });
  }
  return causes;
}

function finalizerErrors(finalizers: unknown): Causes {
  if (!Array.isArray(finalizers)) return [];
  return finalizers.flatMap((finalizer: unknown, index) =>
    typeof finalizer === 'string' && isLabelKey(finalizer)
      ? []
      : [invalidValue(`metadata.finalizers[${String(index)}]`, finalizer, KEY_TEXT)],
  );
}

const NAME_TEXT =
  'a lowercase RFC 1123 name is expected: letters, digits, "-" (and "." where the kind allows it), starting and ending alphanumeric';
const KEY_TEXT = 'must be a qualified name: an optional DNS prefix with "/", then at most 63 characters';
const MAX_ANNOTATION_BYTES = 256 * 1024;
