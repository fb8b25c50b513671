import { KUBERNETES_FIELDS } from './kubernetes-fields.ts';

/** The fields of one object type by name; what is not here is unknown. */
export type FieldTable = ReadonlyMap<string, FieldType>;

export type FieldType =
  | { readonly form: 'scalar'; readonly scalar: Scalar }
  | { readonly form: 'object'; readonly name: string }
  | { readonly form: 'list' | 'map'; readonly of: FieldType };

export type Scalar =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'date-time'
  | 'micro-time'
  | 'int-or-string'
  | 'quantity'
  | 'byte'
  | 'any';

/** Reads the generated text. */
export function readFieldTables(text: string = KUBERNETES_FIELDS): ReadonlyMap<string, FieldTable> {
  const tables = new Map<string, FieldTable>();
  for (const line of text.split('\n')) {
    const [name = '', ...fields] = line.split(' ');
    if (name !== '') tables.set(name, new Map(fields.map(readField)));
  }
  return tables;
}

function readField(text: string): [string, FieldType] {
  // Field names hold no colon.
  const colon = text.indexOf(':');
  return [text.slice(0, colon), readType(text.slice(colon + 1))];
}

function readType(text: string): FieldType {
  if (text.startsWith('[]')) return { form: 'list', of: readType(text.slice(2)) };
  if (text.startsWith('{}')) return { form: 'map', of: readType(text.slice(2)) };
  if (isScalar(text)) return { form: 'scalar', scalar: text };
  return { form: 'object', name: text };
}

const SCALARS: ReadonlySet<string> = new Set<Scalar>([
  'string',
  'boolean',
  'int32',
  'int64',
  'double',
  'date-time',
  'micro-time',
  'int-or-string',
  'quantity',
  'byte',
  'any',
]);

function isScalar(text: string): text is Scalar {
  return SCALARS.has(text);
}
