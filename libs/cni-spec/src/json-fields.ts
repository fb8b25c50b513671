/**
 * Hand-written reading of JSON objects. A schema library costs the plugin more start-up time than the whole ADD; this
 * reads field by field and stops at the first one that is wrong, with its path, what it held and what was expected.
 */
import { describeParseError, err, ok, type ParseError, type Result } from 'net-types';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Array.isArray() forgets the element type of readonly lists. */
export function isJsonList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The value of the text, or what the parser says of it. */
export function parseJson(text: string): Result<JsonValue, string> {
  try {
    return ok(JSON.parse(text) as JsonValue);
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

/** Runs a reader; the first wrong field becomes the error. */
export function readFields<T>(read: () => T): Result<T, string> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof FieldProblem) return err(error.message);
    throw error;
  }
}

/** Ends a reader at the first wrong field. Thrown inside readFields() alone. */
class FieldProblem extends Error {}

const SHOWN_MAX = 80;
const SHOWN_DEPTH = 4;

/** What was found, cut and printable: it may come from anywhere. */
export function show(value: JsonValue | undefined): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(shallow(value, SHOWN_DEPTH));
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** The runtime takes seconds to print lists that are nested thousands deep. */
function shallow(value: JsonValue, depth: number): JsonValue {
  if (isJsonList(value)) return depth === 0 ? '…' : value.map((item) => shallow(item, depth - 1));
  if (!isJsonObject(value)) return value;
  if (depth === 0) return '…';
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shallow(item, depth - 1)]));
}

/**
 * One JSON object and where it stands. Absent and null are the same, as in Go's libraries, which write either; so is an
 * empty string where a string is optional. Only own keys are seen: `__proto__` and `toString` are no fields.
 */
export class Fields {
  readonly #object: JsonObject;
  readonly #path: string;

  private constructor(object: JsonObject, path: string) {
    this.#object = object;
    this.#path = path;
  }

  static of(value: JsonValue, path: string): Fields {
    if (isJsonObject(value)) return new Fields(value, path);
    throw new FieldProblem(`${path === '' ? 'the configuration' : path}: expected a JSON object, found ${show(value)}`);
  }

  /** Ends the reading with this field's path, its value and what it should have been. */
  fail(key: string, expected: string): never {
    throw new FieldProblem(`${this.#at(key)}: ${show(this.#get(key))}: expected ${expected}`);
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.fail(key, 'a string that is not empty');
  }

  optionalString(key: string): string | undefined {
    const value = this.#get(key);
    if (value === undefined || value === '') return undefined;
    return typeof value === 'string' ? value : this.fail(key, 'a string');
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(key, 'true or false');
  }

  optionalInteger(key: string, min: number, max: number): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    return this.fail(key, `an integer within ${min}..${max}`);
  }

  parsed<T>(key: string, parse: (text: string) => Result<T, ParseError>): T {
    return this.optionalParsed(key, parse) ?? this.fail(key, 'a string that is not empty');
  }

  optionalParsed<T>(key: string, parse: (text: string) => Result<T, ParseError>): T | undefined {
    const text = this.optionalString(key);
    return text === undefined ? undefined : this.#unwrap(key, parse(text));
  }

  optionalObject(key: string): Fields | undefined {
    const value = this.#get(key);
    return value === undefined ? undefined : Fields.of(value, this.#at(key));
  }

  /** The object as it stands, for those who pass it on. */
  optionalRaw(key: string): JsonObject | undefined {
    const value = this.#get(key);
    if (value === undefined || isJsonObject(value)) return value;
    return this.fail(key, 'a JSON object');
  }

  strings(key: string): string[] {
    return this.#items(key).map((item, index) => {
      if (typeof item === 'string') return item;
      throw new FieldProblem(`${this.#at(key)}[${index}]: expected a string, found ${show(item)}`);
    });
  }

  parsedStrings<T>(key: string, parse: (text: string) => Result<T, ParseError>): T[] {
    return this.strings(key).map((text, index) => this.#unwrap(`${key}[${index}]`, parse(text)));
  }

  stringPairs(key: string): (readonly [string, string])[] {
    return this.#items(key).map((item, index) => {
      const [name, value] = isJsonList(item) && item.length === 2 ? item : [];
      if (typeof name === 'string' && typeof value === 'string') return [name, value];
      throw new FieldProblem(`${this.#at(key)}[${index}]: expected a pair of strings, found ${show(item)}`);
    });
  }

  objects(key: string): Fields[] {
    return this.#items(key).map((item, index) => Fields.of(item, `${this.#at(key)}[${index}]`));
  }

  #items(key: string): readonly JsonValue[] {
    const value = this.#get(key);
    if (value === undefined) return [];
    return isJsonList(value) ? value : this.fail(key, 'a list');
  }

  #unwrap<T>(key: string, result: Result<T, ParseError>): T {
    if (result.ok) return result.value;
    throw new FieldProblem(`${this.#at(key)}: ${describeParseError(result.error)}`);
  }

  #get(key: string): JsonValue | undefined {
    return Object.hasOwn(this.#object, key) ? (this.#object[key] ?? undefined) : undefined;
  }

  #at(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`;
  }
}
