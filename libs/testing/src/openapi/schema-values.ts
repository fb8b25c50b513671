/** Values of a JSON Schema: the least that it takes, and others that are near it or far from it. */
import { type Components, isObject, type Json, type JsonObject, resolved, schemaErrors } from './json-schema.ts';
import type { Parameter } from './document.ts';
import type { Seeded } from './seeded.ts';

/** What must be there, and no more; examples where the schema has some. */
export function sampleOf(given: JsonObject, components: Components): Json {
  const schema = resolved(given, components);
  const { example, const: only, enum: values, anyOf, oneOf, allOf, type, format, pattern } = schema;
  if (example !== undefined) return example;
  if (only !== undefined) return only;
  if (Array.isArray(values)) return values[0] as Json;
  for (const some of [anyOf, oneOf, allOf]) if (Array.isArray(some)) return sampleOf(some[0] as JsonObject, components);
  switch (type) {
    case 'object': {
      const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonObject>>;
      const required = (schema['required'] ?? []) as readonly string[];
      return Object.fromEntries(required.map((name) => [name, sampleOf(properties[name] ?? {}, components)]));
    }
    case 'array':
      return Array.from({ length: Number(schema['minItems'] ?? 0) }, () =>
        sampleOf(schema['items'] as JsonObject, components),
      );
    case 'integer':
    case 'number':
      return Number(schema['minimum'] ?? 0);
    case 'boolean':
      return false;
    case 'string':
      if (format === 'date-time') return '2026-11-21T10:00:00.000Z';
      if (format === 'ipv4') return '10.0.0.1';
      return typeof pattern === 'string' && /\\d/.test(pattern)
        ? '1'
        : 'a'.repeat(Math.max(1, Number(schema['minLength'] ?? 1)));
    default:
      return null;
  }
}

const ODD_TEXTS = [
  '',
  ' ',
  '0',
  '-1',
  '1.5',
  '501',
  'x',
  'A_B',
  'a/b',
  '../../etc',
  'a\u0000b',
  '🦊',
  '\u202e',
  "';--",
];
const TEXTS = [...ODD_TEXTS, '1', '500', 'true', 'null', '[]', '{}', 'NaN', 'a'.repeat(254), 'é'.repeat(3000)];

export interface ParameterTexts {
  readonly valid: readonly string[];
  readonly invalid: readonly string[];
}

/** Texts of a parameter that its schema takes and does not take. It says nothing of what a valid one names. */
export function textsOf({ schema }: Parameter, components: Components): ParameterTexts {
  const values = (schema['enum'] ?? []) as readonly string[];
  const [valid, invalid]: [string[], string[]] = [[], []];
  for (const text of new Set([...values, ...values.map((value) => value.toUpperCase()), ...TEXTS])) {
    const errors = schemaErrors(parsedParameter(text, resolved(schema, components)), schema, components);
    (errors.length === 0 ? valid : invalid).push(text);
  }
  return { valid, invalid };
}

/** As servers read the text of a parameter of that type; NaN where they cannot. */
function parsedParameter(text: string, { type }: JsonObject): unknown {
  if (type === 'integer' || type === 'number') return Number(text);
  if (type === 'boolean') return text === 'true' || (text === 'false' ? false : text);
  return text;
}

/** Any JSON, with what breaks parsers and databases among it. */
export function anyJson(chance: Seeded, depth = 3): Json {
  const kind = chance.below(depth > 0 ? 8 : 6);
  switch (kind) {
    case 0:
      return chance.pick([null, true, false]);
    case 1:
      return chance.pick([0, -0, -1, 1, 1.5, 65_536, 1e308, Number.MAX_SAFE_INTEGER, 2 ** 53]);
    case 2:
    case 3:
      return chance.pick(TEXTS);
    case 4:
      return [];
    case 5:
      return {};
    case 6:
      return Array.from({ length: chance.below(4) }, () => anyJson(chance, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: chance.below(4) }, () => [chance.pick(NAMES), anyJson(chance, depth - 1)]),
      );
  }
}

const NAMES = [
  'name',
  'namespace',
  'kind',
  'metadata',
  'spec',
  'a',
  '',
  'constructor',
  'toString',
  'length',
  '🦊',
  '/~',
];

/** The value with something in it replaced, left out, or added; often no longer what its schema takes. */
export function mutated(value: Json, chance: Seeded): Json {
  const isHere = chance.chance(0.3);
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    if (isHere || list.length === 0)
      return chance.pick([anyJson(chance), [...list, anyJson(chance)], [...list, ...list]]);
    const index = chance.below(list.length);
    return list.map((item, at) => (at === index ? mutated(item, chance) : item));
  }
  if (isObject(value)) {
    const names = Object.keys(value);
    if (isHere || names.length === 0) {
      if (chance.chance(0.2)) return anyJson(chance);
      return { ...value, [chance.pick([...NAMES, `x${chance.below(10)}`])]: anyJson(chance) };
    }
    const name = chance.pick(names);
    if (chance.chance(0.3)) return Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
    return { ...value, [name]: mutated(value[name] ?? null, chance) };
  }
  return anyJson(chance);
}
