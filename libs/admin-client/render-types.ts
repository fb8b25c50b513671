/** TypeScript types of the document's schemas (JSON Schema 2020-12), as far as the admin API uses it. */
import type { Json, JsonObject } from '@canal/admin-schema';

/** `export interface Name { … }` for an object, `export type Name = …` for the rest; sorted by name. */
export function renderTypes(document: JsonObject): string {
  const schemas = Object.entries(objectAt(objectAt(document, 'components'), 'schemas'));
  return schemas.map(([name, schema]) => declaration(name, schema as JsonObject)).join('\n');
}

function declaration(name: string, schema: JsonObject): string {
  const body = typeOf(schema);
  const isObject = schema['type'] === 'object' && body.startsWith('{');
  return (
    comment(schema) +
    (isObject
      ? `export interface ${name} ${body}
`
      : `export type ${name} = ${body};
`)
  );
}

/** The type of a value that the schema describes. Throws for what no schema of ours has: it would be `unknown` unseen. */
export function typeOf(schema: Json | undefined): string {
  const object = (schema ?? {}) as JsonObject;
  const { $ref, const: only, enum: values, type } = object;
  if (typeof $ref === 'string') return $ref.slice('#/components/schemas/'.length);
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(' | ');
  const variants = object['anyOf'] ?? object['oneOf'];
  if (Array.isArray(variants)) return [...new Set(variants.map((variant: Json) => typeOf(variant)))].join(' | ');
  switch (type) {
    case 'object':
      return objectType(object);
    case 'array':
      return `readonly (${typeOf(object['items'])})[]`;
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    default:
      throw new Error(`a schema of no kind that is known: ${JSON.stringify(schema)}`);
  }
}

function objectType(schema: JsonObject): string {
  const properties = Object.entries(objectAt(schema, 'properties'));
  const others = schema['additionalProperties'];
  if (properties.length === 0 && typeof others === 'object') return `{ readonly [name: string]: ${typeOf(others)} }`;
  const required = (schema['required'] ?? []) as readonly string[];
  const fields = properties.map(
    ([name, one]) =>
      `${comment(one as JsonObject)}readonly ${name}${required.includes(name) ? '' : '?'}: ${typeOf(one)};`,
  );
  return `{\n${fields.join('\n')}\n}`;
}

function comment({ description }: JsonObject): string {
  return typeof description === 'string' ? `/** ${description.replaceAll('*/', '*\\/')} */\n` : '';
}

export function objectAt(value: Json | undefined, name: string): JsonObject {
  const found = (value as JsonObject | undefined)?.[name];
  return (found ?? {}) as JsonObject;
}
