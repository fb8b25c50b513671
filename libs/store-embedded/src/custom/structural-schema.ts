import { childOf, isJson, type Json } from '../json.ts';

/**
 * The structural OpenAPI v3 schemas of custom resources, as far as form goes: which fields there are, nulls, defaults.
 * A schema is used as the JSON object that it is; whether it is a usable one was checked when its CRD was written.
 */

/** Paths of fields that the schema does not know. Nulls that the schema does not allow are removed in place. */
export function unknownFields(object: Json, schema: Json): readonly string[] {
  const unknown: string[] = [];
  visitObject(object, withObjectFields(schema), '', unknown);
  return unknown;
}

function visit(value: unknown, schema: Json, path: string, unknown: string[]): void {
  if (Array.isArray(value)) {
    const items = childOf(schema, 'items');
    value.forEach((item: unknown, index) => {
      visit(item, items, `${path}[${String(index)}]`, unknown);
    });
  } else if (isJson(value)) {
    const embedded = schema['x-kubernetes-embedded-resource'] === true;
    visitObject(value, embedded ? withObjectFields(schema) : schema, path, unknown);
  }
}

function visitObject(value: Json, schema: Json, path: string, unknown: string[]): void {
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true;
  for (const [name, member] of Object.entries(value)) {
    const memberPath = path === '' ? name : `${path}.${name}`;
    const memberSchema = schemaOfMember(schema, name);
    if (memberSchema === undefined) {
      if (!keepsUnknown) unknown.push(memberPath);
    } else if (member === null && memberSchema['nullable'] !== true && memberSchema !== ANYTHING) {
      Reflect.deleteProperty(value, name);
    } else if (memberSchema !== ANYTHING) {
      visit(member, memberSchema, memberPath, unknown);
    }
  }
}

/** Fills in defaults, outermost first, so that defaults inside a defaulted object apply too. */
export function applyDefaults(value: unknown, schema: Json): void {
  if (Array.isArray(value)) {
    const items = childOf(schema, 'items');
    for (const item of value) applyDefaults(item, items);
    return;
  }
  if (!isJson(value)) return;
  for (const [name, propertySchema] of Object.entries(childOf(schema, 'properties'))) {
    if (!isJson(propertySchema)) continue;
    const fallback = propertySchema['default'];
    if (fallback !== undefined && value[name] === undefined) value[name] = structuredClone(fallback);
    applyDefaults(value[name], propertySchema);
  }
  const additional = schema['additionalProperties'];
  if (isJson(additional)) for (const member of Object.values(value)) applyDefaults(member, additional);
}

/** The schema that a member is held to; undefined when the schema does not know it. */
function schemaOfMember(schema: Json, name: string): Json | undefined {
  const properties = childOf(schema, 'properties');
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (isJson(property)) return property;
  const additional = schema['additionalProperties'];
  if (isJson(additional)) return additional;
  return additional === true ? ANYTHING : undefined;
}

/** apiVersion, kind and metadata are in every object, and are judged elsewhere. */
function withObjectFields(schema: Json): Json {
  return {
    ...schema,
    properties: { ...childOf(schema, 'properties'), apiVersion: ANYTHING, kind: ANYTHING, metadata: ANYTHING },
  };
}

const ANYTHING: Json = {};
