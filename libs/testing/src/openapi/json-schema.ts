/**
 * JSON Schema 2020-12 as far as OpenAPI documents of this workspace use it: a judge that shares no code with the server.
 * A keyword that it does not know is an error, never passed over.
 */
import { isIP } from 'node:net';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export interface JsonObject {
  readonly [name: string]: Json;
}

/** By name: what `#/components/schemas/NAME` refers to. */
export type Components = Readonly<Record<string, JsonObject>>;

/** What is wrong, a line each, with its place; empty when the value is as the schema says. */
export function schemaErrors(value: unknown, schema: JsonObject, components: Components): readonly string[] {
  return errorsAt('', value, schema, components);
}

export function resolved(schema: JsonObject, components: Components): JsonObject {
  const { $ref } = schema;
  if (typeof $ref !== 'string') return schema;
  const found = components[$ref.replace('#/components/schemas/', '')];
  if (found === undefined) throw new Error(`the document has no ${$ref}`);
  return resolved(found, components);
}

type Check = (expected: Json, value: unknown, context: Context) => readonly string[];

interface Context {
  readonly place: string;
  readonly schema: JsonObject;
  readonly components: Components;
}

const MAX_SHOWN = 200;

function errorsAt(place: string, value: unknown, given: JsonObject, components: Components): readonly string[] {
  const schema = resolved(given, components);
  return Object.entries(schema).flatMap(([keyword, expected]) => {
    if (NOTES.has(keyword) || keyword.startsWith('x-')) return [];
    const check = CHECKS[keyword];
    if (check === undefined) throw new Error(`schemas with ${JSON.stringify(keyword)} cannot be judged`);
    return check(expected, value, { place, schema, components });
  });
}

const NOTES: ReadonlySet<string> = new Set(['description', 'title', 'example', 'examples', 'default', 'deprecated']);

const CHECKS: Readonly<Record<string, Check>> = {
  type(expected, value, { place }) {
    const types = Array.isArray(expected) ? (expected as readonly string[]) : [expected as string];
    return types.some((type) => isOfType(type, value)) ? [] : [wrong(place, value, `expected ${types.join(' or ')}`)];
  },
  const: (expected, value, { place }) =>
    isEqual(expected, value) ? [] : [wrong(place, value, `expected ${JSON.stringify(expected)}`)],
  enum: (expected, value, { place }) =>
    (expected as readonly Json[]).some((one) => isEqual(one, value))
      ? []
      : [wrong(place, value, `expected one of ${JSON.stringify(expected)}`)],
  anyOf: (expected, value, context) => (matching(expected, value, context).length > 0 ? [] : noneOf(value, context)),
  oneOf: (expected, value, context) => (matching(expected, value, context).length === 1 ? [] : noneOf(value, context)),
  allOf: (expected, value, { place, components }) =>
    (expected as readonly JsonObject[]).flatMap((one) => errorsAt(place, value, one, components)),
  properties(expected, value, { place, components }) {
    if (!isObject(value)) return [];
    return Object.entries(expected as Readonly<Record<string, JsonObject>>).flatMap(([name, schema]) =>
      Object.hasOwn(value, name) ? errorsAt(`${place}/${name}`, value[name], schema, components) : [],
    );
  },
  required(expected, value, { place }) {
    if (!isObject(value)) return [];
    const missing = (expected as readonly string[]).filter((name) => !Object.hasOwn(value, name));
    return missing.map((name) => `${place}: there is no ${name}`);
  },
  additionalProperties(expected, value, { place, schema, components }) {
    if (!isObject(value)) return [];
    const known = Object.keys((schema['properties'] ?? {}) as JsonObject);
    const others = Object.keys(value).filter((name) => !known.includes(name));
    if (expected === false) return others.map((name) => `${place}: there must be no ${cut(name)}`);
    if (expected === true) return [];
    return others.flatMap((name) => errorsAt(`${place}/${name}`, value[name], expected as JsonObject, components));
  },
  propertyNames(expected, value, { place, components }) {
    if (!isObject(value)) return [];
    return Object.keys(value).flatMap((name) => errorsAt(`${place} name`, name, expected as JsonObject, components));
  },
  items(expected, value, { place, components }) {
    if (!Array.isArray(value)) return [];
    return value.flatMap((item, index) => errorsAt(`${place}/${index}`, item, expected as JsonObject, components));
  },
  minItems: ofLists((length, limit) => length >= limit, 'at least'),
  maxItems: ofLists((length, limit) => length <= limit, 'at most'),
  minLength: ofTexts((length, limit) => length >= limit, 'at least'),
  maxLength: ofTexts((length, limit) => length <= limit, 'at most'),
  minimum: ofNumbers((value, limit) => value >= limit, 'at least'),
  maximum: ofNumbers((value, limit) => value <= limit, 'at most'),
  exclusiveMinimum: ofNumbers((value, limit) => value > limit, 'more than'),
  exclusiveMaximum: ofNumbers((value, limit) => value < limit, 'less than'),
  pattern: (expected, value, { place }) =>
    typeof value !== 'string' || new RegExp(textOf(expected), 'u').test(value)
      ? []
      : [wrong(place, value, `expected ${textOf(expected)}`)],
  format(expected, value, { place }) {
    const isFormat = FORMATS[textOf(expected)];
    if (isFormat === undefined) throw new Error(`the format ${textOf(expected)} cannot be judged`);
    return typeof value !== 'string' || isFormat(value) ? [] : [wrong(place, value, `expected ${textOf(expected)}`)];
  },
};

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text) && !Number.isNaN(Date.parse(text)),
  ipv4: (text) => isIP(text) === 4,
  ipv6: (text) => isIP(text) === 6,
  cidrv4: (text) => isCidr(text, 4, 32),
  cidrv6: (text) => isCidr(text, 6, 128),
};

function isCidr(text: string, family: 4 | 6, bits: number): boolean {
  const [address = '', length = '', ...rest] = text.split('/');
  return isIP(address) === family && /^\d+$/.test(length) && Number(length) <= bits && rest.length === 0;
}

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'number':
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      throw new Error(`there is no type ${type}`);
  }
}

function ofLists(holds: (length: number, limit: number) => boolean, words: string): Check {
  return (limit, value, { place }) =>
    !Array.isArray(value) || holds(value.length, Number(limit))
      ? []
      : [`${place} has ${value.length} items: expected ${words} ${textOf(limit)}`];
}

/** Characters, not UTF-16 units. */
function ofTexts(holds: (length: number, limit: number) => boolean, words: string): Check {
  return (limit, value, { place }) =>
    typeof value !== 'string' || holds(lengthOf(value), Number(limit))
      ? []
      : [`${place} has ${lengthOf(value)} characters: expected ${words} ${textOf(limit)}`];
}

function ofNumbers(holds: (value: number, limit: number) => boolean, words: string): Check {
  return (limit, value, { place }) =>
    typeof value !== 'number' || holds(value, Number(limit))
      ? []
      : [wrong(place, value, `expected ${words} ${textOf(limit)}`)];
}

function matching(schemas: Json, value: unknown, { place, components }: Context): readonly JsonObject[] {
  return (schemas as readonly JsonObject[]).filter((one) => errorsAt(place, value, one, components).length === 0);
}

function noneOf(value: unknown, { place }: Context): readonly string[] {
  return [wrong(place, value, 'none, or more than one, of its kinds fits')];
}

function wrong(place: string, value: unknown, expected: string): string {
  return `${place} is ${value === undefined ? 'absent' : cut(JSON.stringify(value))}: ${expected}`;
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** In characters: a surrogate pair is one. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}

/** For messages. */
export function textOf(value: unknown): string {
  if (value === undefined) return 'absent';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isEqual(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
