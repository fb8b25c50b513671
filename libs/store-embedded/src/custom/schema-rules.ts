import type { StatusCause } from '../api-error.ts';
import { isJson, type Json } from '../json.ts';
import { type Causes, forbiddenField, invalidValue, itemsOf, notSupported, required } from '../value-rules.ts';

/**
 * Whether a CRD's schema is one that objects can be held to: structural (every value has a type, `properties` and
 * `additionalProperties` exclude each other, lists say what their items are), with patterns that compile.
 */
export function structuralErrors(schema: unknown, field: string): Causes {
  if (!isJson(schema)) return [required(field)];
  const root: StatusCause[] =
    schema['type'] === 'object'
      ? []
      : [invalidValue(`${field}.type`, schema['type'] ?? '', 'must be object at the root')];
  return [...root, ...nodeErrors(schema, field)];
}

function nodeErrors(schema: Json, field: string): Causes {
  return [
    ...typeErrors(schema, field),
    ...FORBIDDEN.filter((name) => schema[name] !== undefined).map((name) =>
      forbiddenField(`${field}.${name}`, `${name} is not supported`),
    ),
    ...patternErrors(schema['pattern'], `${field}.pattern`),
    ...childErrors(schema, field),
    ...COMBINATIONS.flatMap((name) =>
      itemsOf(schema[name]).flatMap((item, index) => valueOnlyErrors(item, `${field}.${name}[${String(index)}]`)),
    ),
  ];
}

function typeErrors(schema: Json, field: string): Causes {
  const { type } = schema;
  const untyped = type === undefined || type === '';
  if (untyped) {
    const free =
      schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
    return free ? [] : [required(`${field}.type`, 'must not be empty for specified object fields')];
  }
  return typeof type === 'string' && TYPES.includes(type) ? [] : [notSupported(`${field}.type`, type, TYPES)];
}

function childErrors(schema: Json, field: string): Causes {
  const { properties, additionalProperties, items } = schema;
  const causes: StatusCause[] = [];
  if (properties !== undefined && additionalProperties !== undefined) {
    causes.push(forbiddenField(`${field}.additionalProperties`, 'is mutually exclusive with properties'));
  }
  if (additionalProperties === false) {
    causes.push(
      forbiddenField(`${field}.additionalProperties`, 'must not be false: unknown fields are refused anyway'),
    );
  }
  if (schema['type'] === 'array' && !isJson(items)) causes.push(required(`${field}.items`, 'must be a schema'));
  return [
    ...causes,
    ...(isJson(properties)
      ? Object.entries(properties).flatMap(([name, child]) => namedErrors(child, `${field}.properties[${name}]`))
      : []),
    ...(isJson(items) ? nodeErrors(items, `${field}.items`) : []),
    ...(isJson(additionalProperties) ? nodeErrors(additionalProperties, `${field}.additionalProperties`) : []),
  ];
}

function namedErrors(child: unknown, field: string): Causes {
  return isJson(child) ? nodeErrors(child, field) : [required(field)];
}

/** Inside allOf, anyOf, oneOf and not there are conditions on values, no fields of their own: types may be left out. */
function valueOnlyErrors(schema: unknown, field: string): Causes {
  if (!isJson(schema)) return [required(field)];
  return patternErrors(schema['pattern'], `${field}.pattern`);
}

function patternErrors(pattern: unknown, field: string): Causes {
  if (typeof pattern !== 'string') return [];
  try {
    new RegExp(pattern, 'u');
    return [];
  } catch {
    return [invalidValue(field, pattern, 'must be a regular expression that JavaScript reads too')];
  }
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const COMBINATIONS = ['allOf', 'anyOf', 'oneOf'] as const;
const FORBIDDEN = ['definitions', 'dependencies', 'patternProperties', '$ref', 'id', 'uniqueItems'] as const;
