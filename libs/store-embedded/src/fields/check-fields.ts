import { isJson, type Json } from '../json.ts';
import type { FieldTable, FieldType, Scalar } from './field-table.ts';

/** What is wrong with the form of an object: each text names the field by its path. */
export interface FieldErrors {
  /** Fields that the kind does not have at that place. */
  readonly unknown: readonly string[];
  /** Fields whose JSON type is another than the kind's. */
  readonly mistyped: readonly string[];
}

/**
 * Holds an object to the field tables: every member must be known where it stands and have its type. Members that are
 * null are removed on the way, in place, as if they had not been sent; nothing else is changed.
 */
export function checkFields(tables: ReadonlyMap<string, FieldTable>, typeName: string, object: Json): FieldErrors {
  const check = new FieldCheck(tables);
  check.object(object, typeName, '');
  return { unknown: check.unknown, mistyped: check.mistyped };
}

class FieldCheck {
  readonly unknown: string[] = [];
  readonly mistyped: string[] = [];
  readonly #tables: ReadonlyMap<string, FieldTable>;

  constructor(tables: ReadonlyMap<string, FieldTable>) {
    this.#tables = tables;
  }

  object(value: Json, typeName: string, path: string): void {
    const table = this.#tables.get(typeName);
    for (const [name, member] of Object.entries(value)) {
      const memberPath = path === '' ? name : `${path}.${name}`;
      const type = table?.get(name);
      if (type === undefined) this.unknown.push(memberPath);
      else if (member === null) Reflect.deleteProperty(value, name);
      else this.#value(member, type, memberPath);
    }
  }

  #value(value: unknown, type: FieldType, path: string): void {
    switch (type.form) {
      case 'scalar':
        if (!SCALAR_CHECKS[type.scalar](value)) this.#mistyped(path, SCALAR_TEXT[type.scalar], value);
        return;
      case 'object':
        if (isJson(value)) this.object(value, type.name, path);
        else this.#mistyped(path, 'an object', value);
        return;
      case 'list':
        this.#list(value, type.of, path);
        return;
      case 'map':
        this.#map(value, type.of, path);
    }
  }

  #list(value: unknown, of: FieldType, path: string): void {
    if (!Array.isArray(value)) {
      this.#mistyped(path, 'a list', value);
      return;
    }
    value.forEach((item: unknown, index) => {
      const itemPath = `${path}[${String(index)}]`;
      // A null item is no absent item: Go would make an empty object of it, which selects everything in a peer list.
      if (item === null && of.form !== 'scalar') this.#mistyped(itemPath, 'an object', item);
      else this.#value(item, of, itemPath);
    });
  }

  #map(value: unknown, of: FieldType, path: string): void {
    if (!isJson(value)) {
      this.#mistyped(path, 'a map', value);
      return;
    }
    for (const [key, item] of Object.entries(value)) this.#value(item, of, `${path}[${key}]`);
  }

  #mistyped(path: string, expected: string, value: unknown): void {
    this.mistyped.push(`${path} must be ${expected}, not ${describe(value)}`);
  }
}

const SCALAR_CHECKS: Readonly<Record<Scalar, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  int32: (value) => Number.isInteger(value) && Math.abs(Number(value)) <= 0x7fff_ffff,
  int64: (value) => Number.isSafeInteger(value),
  double: (value) => typeof value === 'number',
  'date-time': (value) => typeof value === 'string' && RFC_3339.test(value),
  'micro-time': (value) => typeof value === 'string' && RFC_3339.test(value),
  'int-or-string': (value) => typeof value === 'string' || Number.isInteger(value),
  quantity: (value) => typeof value === 'number' || (typeof value === 'string' && QUANTITY.test(value)),
  byte: (value) => typeof value === 'string' && BASE64.test(value),
  any: () => true,
};

const SCALAR_TEXT: Readonly<Record<Scalar, string>> = {
  string: 'a string',
  boolean: 'true or false',
  int32: 'a 32-bit integer',
  int64: 'an integer',
  double: 'a number',
  'date-time': 'a time in RFC 3339',
  'micro-time': 'a time in RFC 3339',
  'int-or-string': 'an integer or a string',
  quantity: 'a quantity such as 100m or 1Gi',
  byte: 'base64',
  any: 'anything',
};

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const QUANTITY = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return JSON.stringify(value).slice(0, 80);
}
