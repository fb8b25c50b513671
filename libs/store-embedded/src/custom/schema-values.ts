import { parseInterfaceAddress, parseIp, parseIpv4, parseIpv6, parseMac } from 'net-types';

import type { StatusCause } from '../api-error.ts';
import { childOf, isJson, type Json } from '../json.ts';
import { type Causes, itemsOf, notSupported, required } from '../value-rules.ts';

/** What a value breaks of an OpenAPI v3 schema. CEL rules (`x-kubernetes-validations`) are not evaluated. */
export function schemaErrors(value: unknown, schema: Json, path: string): Causes {
  if (value === null && schema['nullable'] === true) return [];
  const typeError = checkType(value, schema, path);
  if (typeError !== undefined) return [typeError];
  return [
    ...enumErrors(value, schema, path),
    ...(typeof value === 'string' ? stringErrors(value, schema, path) : []),
    ...(typeof value === 'number' ? numberErrors(value, schema, path) : []),
    ...(Array.isArray(value) ? listErrors(value, schema, path) : []),
    ...(isJson(value) ? objectErrors(value, schema, path) : []),
    ...combinationErrors(value, schema, path),
  ];
}

function checkType(value: unknown, schema: Json, path: string): StatusCause | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return Number.isInteger(value) || typeof value === 'string'
      ? undefined
      : wrongType(value, path, 'integer or string');
  }
  const type = schema['type'];
  if (typeof type !== 'string' || type === '' || (TYPE_CHECKS[type]?.(value) ?? true)) return undefined;
  return wrongType(value, path, type);
}

const TYPE_CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
  array: (value) => Array.isArray(value),
  object: isJson,
};

function enumErrors(value: unknown, schema: Json, path: string): Causes {
  const allowed = schema['enum'];
  if (!Array.isArray(allowed) || allowed.some((item) => Bun.deepEquals(item, value))) return [];
  return [notSupported(path, value, allowed.map(String))];
}

function stringErrors(value: string, schema: Json, path: string): Causes {
  const { minLength, maxLength, pattern, format } = schema;
  const length = Array.from(value).length;
  const causes: StatusCause[] = [];
  if (typeof minLength === 'number' && length < minLength) {
    causes.push(broken(value, path, `should be at least ${String(minLength)} chars long`));
  }
  if (typeof maxLength === 'number' && length > maxLength) {
    causes.push({
      reason: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${String(maxLength)} bytes`,
    });
  }
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) {
    causes.push(broken(value, path, `should match '${pattern}'`));
  }
  if (typeof format === 'string' && !(FORMATS[format]?.(value) ?? true)) {
    causes.push(broken(value, path, `must be of type ${format}`));
  }
  return causes;
}

/** Formats that are not listed are not checked, as in the API server. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  ipv4: (text) => parseIpv4(text).ok,
  ipv6: (text) => parseIpv6(text).ok,
  ip: (text) => parseIp(text).ok,
  cidr: (text) => parseInterfaceAddress(text).ok,
  mac: (text) => parseMac(text).ok,
  'date-time': (text) => /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d/.test(text) && Number.isFinite(Date.parse(text)),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && Number.isFinite(Date.parse(text)),
  duration: (text) => /^-?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text) || text === '0',
  uuid: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
};

function numberErrors(value: number, schema: Json, path: string): Causes {
  const { minimum, maximum, multipleOf, exclusiveMinimum, exclusiveMaximum } = schema;
  const causes: StatusCause[] = [];
  if (typeof minimum === 'number' && (exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    const bound = exclusiveMinimum === true ? 'greater than' : 'greater than or equal to';
    causes.push(broken(value, path, `should be ${bound} ${String(minimum)}`));
  }
  if (typeof maximum === 'number' && (exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    const bound = exclusiveMaximum === true ? 'less than' : 'less than or equal to';
    causes.push(broken(value, path, `should be ${bound} ${String(maximum)}`));
  }
  if (typeof multipleOf === 'number' && !Number.isInteger(value / multipleOf)) {
    causes.push(broken(value, path, `should be a multiple of ${String(multipleOf)}`));
  }
  if (schema['format'] === 'int32' && (value < -(2 ** 31) || value > 2 ** 31 - 1)) {
    causes.push(broken(value, path, 'must be of type int32'));
  }
  return causes;
}

function listErrors(value: readonly unknown[], schema: Json, path: string): Causes {
  const { minItems, maxItems } = schema;
  const items = childOf(schema, 'items');
  return [
    ...(typeof minItems === 'number' && value.length < minItems
      ? [broken(value.length, path, `should have at least ${String(minItems)} items`)]
      : []),
    ...(typeof maxItems === 'number' && value.length > maxItems
      ? [broken(value.length, path, `should have at most ${String(maxItems)} items`)]
      : []),
    ...uniqueErrors(value, schema, path),
    ...value.flatMap((item, index) => schemaErrors(item, items, `${path}[${String(index)}]`)),
  ];
}

/** Lists that are sets, or maps by key fields, hold each member once. */
function uniqueErrors(value: readonly unknown[], schema: Json, path: string): Causes {
  const kind = schema['x-kubernetes-list-type'];
  if (kind !== 'set' && kind !== 'map') return [];
  const keys = itemsOf(schema['x-kubernetes-list-map-keys']).map(String);
  const identity = (item: unknown): string =>
    kind === 'set' || !isJson(item) ? JSON.stringify(item) : JSON.stringify(keys.map((key) => item[key]));
  const seen = new Set<string>();
  return value.flatMap((item, index) => {
    const id = identity(item);
    const again = seen.has(id);
    seen.add(id);
    const field = `${path}[${String(index)}]`;
    return again ? [{ reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${id}` }] : [];
  });
}

function objectErrors(value: Json, schema: Json, path: string): Causes {
  const properties = childOf(schema, 'properties');
  const additional = schema['additionalProperties'];
  const { minProperties, maxProperties } = schema;
  const count = Object.keys(value).length;
  return [
    ...itemsOf(schema['required']).flatMap((name) =>
      typeof name === 'string' && value[name] === undefined ? [required(join(path, name))] : [],
    ),
    ...(typeof minProperties === 'number' && count < minProperties
      ? [broken(count, path, `should have at least ${String(minProperties)} properties`)]
      : []),
    ...(typeof maxProperties === 'number' && count > maxProperties
      ? [broken(count, path, `should have at most ${String(maxProperties)} properties`)]
      : []),
    ...Object.entries(value).flatMap(([name, member]) => {
      const property = Object.hasOwn(properties, name) ? properties[name] : additional;
      return isJson(property) ? schemaErrors(member, property, join(path, name)) : [];
    }),
  ];
}

function combinationErrors(value: unknown, schema: Json, path: string): Causes {
  const passing = (list: unknown): number =>
    itemsOf(list).filter((item) => isJson(item) && schemaErrors(value, item, path).length === 0).length;
  const { allOf, anyOf, oneOf, not } = schema;
  return [
    ...itemsOf(allOf).flatMap((item) => (isJson(item) ? schemaErrors(value, item, path) : [])),
    ...(Array.isArray(anyOf) && passing(anyOf) === 0
      ? [broken(value, path, 'must validate at least one schema (anyOf)')]
      : []),
    ...(Array.isArray(oneOf) && passing(oneOf) !== 1
      ? [broken(value, path, 'must validate one and only one schema (oneOf)')]
      : []),
    ...(isJson(not) && schemaErrors(value, not, path).length === 0
      ? [broken(value, path, 'must not validate the schema (not)')]
      : []),
  ];
}

function wrongType(value: unknown, path: string, type: string): StatusCause {
  return {
    reason: 'FieldValueTypeInvalid',
    field: path,
    message: `Invalid value: ${show(value)}: ${path} in body must be of type ${type}`,
  };
}

function broken(value: unknown, path: string, text: string): StatusCause {
  return {
    reason: 'FieldValueInvalid',
    field: path,
    message: `Invalid value: ${show(value)}: ${path} in body ${text}`,
  };
}

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 200);
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
