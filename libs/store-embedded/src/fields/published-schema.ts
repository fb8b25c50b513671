import { MERGE_KEYS } from '../patch/merge-keys.ts';
import type { FieldTable, FieldType, Scalar } from './field-table.ts';

/** OpenAPI v3 schemas by name, of one type and of all that its fields lead to. */
export function publishedSchemas(
  tables: ReadonlyMap<string, FieldTable>,
  typeName: string,
): Readonly<Record<string, object>> {
  const schemas: Record<string, object> = {};
  const todo = [typeName];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const table = tables.get(name);
    if (schemas[name] !== undefined || table === undefined) continue;
    const properties: Record<string, object> = {};
    for (const [field, type] of table) {
      properties[field] = { ...schemaOf(type, todo), ...mergeKeyOf(`${name}.${field}`) };
    }
    schemas[name] = { type: 'object', properties };
  }
  return schemas;
}

/** The schema of a field; types that it refers to are added to `referred`. */
function schemaOf(type: FieldType, referred: string[]): object {
  switch (type.form) {
    case 'scalar':
      return SCALAR_SCHEMAS[type.scalar];
    case 'object':
      referred.push(type.name);
      return { $ref: `#/components/schemas/${type.name}` };
    case 'list':
      return { type: 'array', items: schemaOf(type.of, referred) };
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(type.of, referred) };
  }
}

function mergeKeyOf(field: string): object {
  const key = MERGE_KEYS.get(field);
  if (key === undefined) return {};
  return { 'x-kubernetes-patch-strategy': 'merge', ...(key === '' ? {} : { 'x-kubernetes-patch-merge-key': key }) };
}

const SCALAR_SCHEMAS: Readonly<Record<Scalar, object>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  'date-time': { type: 'string', format: 'date-time' },
  'micro-time': { type: 'string', format: 'date-time' },
  'int-or-string': { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  byte: { type: 'string', format: 'byte' },
  // An empty schema is none to kubectl explain.
  any: { description: 'any value' },
};
