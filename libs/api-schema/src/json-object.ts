/** Steps into JSON of unknown shape, as Go reads it: null is absent. Nothing here throws, whatever JSON.parse gave. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

const NOTHING: readonly never[] = [];

/** The items of a list; none for what is absent or no list. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : NOTHING;
}

/** The text, when it is one and is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
