/** What the API itself has told: where valid requests have their names, bodies and entity tags from. */
import { isObject, type Json, type JsonObject } from './json-schema.ts';

export class Found {
  readonly #bodies = new Map<string, JsonObject>();
  readonly #cursors = new Map<string, string>();

  /** Of a GET of a path without parameters. */
  keep(path: string, body: unknown): void {
    if (isObject(body)) this.#bodies.set(path, body);
  }

  keepCursor(path: string, cursor: string): void {
    this.#cursors.set(path, cursor);
  }

  body(path: string): JsonObject | undefined {
    return this.#bodies.get(path);
  }

  /** To the page after one of a single item, without other parameters. */
  cursor(path: string): string | undefined {
    return this.#cursors.get(path);
  }

  items(path: string): readonly JsonObject[] {
    const items = this.#bodies.get(path)?.['items'];
    return Array.isArray(items) ? (items as readonly Json[]).filter(isObject) : [];
  }

  /** Of the list that a path with parameters is in: `/v1/nodes` of `/v1/nodes/{name}`. */
  itemsAbove(path: string): readonly JsonObject[] {
    const steps = path.split('/');
    while (steps.length > 1) {
      steps.pop();
      const items = this.items(steps.join('/'));
      if (items.length > 0) return items;
    }
    return [];
  }

  /** Each text that some field of the name has, anywhere in the items of the list, else of any list. */
  texts(name: string, path: string): readonly string[] {
    const own = new Set<string>();
    for (const item of this.items(path)) collect(item, name, own);
    if (own.size > 0) return [...own];
    for (const list of this.#bodies.keys()) for (const item of this.items(list)) collect(item, name, own);
    return [...own];
  }
}

function collect(value: Json, name: string, texts: Set<string>): void {
  if (Array.isArray(value)) for (const item of value as readonly Json[]) collect(item, name, texts);
  if (!isObject(value)) return;
  const own = value[name];
  if (typeof own === 'string') texts.add(own);
  for (const inner of Object.values(value)) collect(inner, name, texts);
}
