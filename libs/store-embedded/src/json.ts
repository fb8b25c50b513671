/** A parsed JSON object whose members are not known yet. */
export type Json = Record<string, unknown>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The member when it is an object, else an empty one. */
export function childOf(value: unknown, name: string): Json {
  const child = isJson(value) ? value[name] : undefined;
  return isJson(child) ? child : {};
}

/** The member when it is a string, else the empty string. */
export function textOf(value: unknown, name: string): string {
  const text = isJson(value) ? value[name] : undefined;
  return typeof text === 'string' ? text : '';
}

/** Members that are strings. */
export function stringMap(value: unknown): Readonly<Record<string, string>> {
  if (!isJson(value)) return {};
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(entries);
}
