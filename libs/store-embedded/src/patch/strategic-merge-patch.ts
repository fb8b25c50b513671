import { badRequest } from '../api-error.ts';
import type { FieldTable, FieldType } from '../fields/field-table.ts';
import { isJson, type Json } from '../json.ts';
import { MERGE_KEYS } from './merge-keys.ts';

/**
 * Strategic merge patch, what `kubectl apply` and `kubectl patch` send for built-in kinds: like a merge patch, but lists with a
 * merge key are merged item by item, and directives (`$patch`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`,
 * `$retainKeys`) say what a plain merge cannot. The inputs are left as they are.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
export function strategicMergePatch(
  tables: ReadonlyMap<string, FieldTable>,
  typeName: string,
  target: Json,
  patch: Json,
): Json {
  return new Merge(tables).object(target, patch, { form: 'object', name: typeName });
}

class Merge {
  readonly #tables: ReadonlyMap<string, FieldTable>;

  constructor(tables: ReadonlyMap<string, FieldTable>) {
    this.#tables = tables;
  }

  object(target: Json, patch: Json, type: FieldType | undefined): Json {
    const directive = patch[DIRECTIVE];
    if (directive === 'replace') return plainObject(patch);
    if (directive === 'delete') return {};
    if (directive !== undefined) throw unknownDirective(directive);
    const fields = fieldsOf(patch);
    const result = retained(target, patch[RETAIN_KEYS], fields);
    for (const name of fields) define(result, name, this.#member(result, patch, name, type));
    return result;
  }

  /** The new value of one field; undefined removes it. */
  #member(target: Json, patch: Json, name: string, type: FieldType | undefined): unknown {
    const old = Object.hasOwn(target, name) ? target[name] : undefined;
    const order = patch[`${SET_ORDER}${name}`];
    const removed = patch[`${DELETE_VALUES}${name}`];
    const kept = Array.isArray(removed) && Array.isArray(old) ? old.filter((item) => !contains(removed, item)) : old;
    const value = patch[name];
    if (value === null) return undefined;
    const fieldType = this.#typeOf(type, name);
    if (isJson(value) && isJson(kept)) return this.object(kept, value, fieldType);
    const key = MERGE_KEYS.get(`${type?.form === 'object' ? type.name : ''}.${name}`);
    if (key !== undefined && Array.isArray(kept) && (Array.isArray(value) || Array.isArray(order))) {
      const items: readonly unknown[] = Array.isArray(value) ? value : [];
      return this.#list(kept, items, key, fieldType, Array.isArray(order) ? order : undefined);
    }
    if (value === undefined) return kept;
    // A directive about what is not there has nothing to direct: the API server drops it with the map that it stands in.
    return isDirected(value) ? undefined : withoutDirectives(value);
  }

  #list(
    old: readonly unknown[],
    patch: readonly unknown[],
    key: string,
    type: FieldType | undefined,
    order: readonly unknown[] | undefined,
  ): readonly unknown[] {
    const directives = patch.filter(isDirected);
    const plain = patch.filter((item) => !isDirected(item));
    if (directives.some((item) => item[DIRECTIVE] === 'replace')) return plain.map(withoutDirectives);
    const same = (a: unknown, b: unknown): boolean => Bun.deepEquals(identity(a, key), identity(b, key));
    let merged = [...old];
    for (const item of directives) {
      if (item[DIRECTIVE] === 'delete') merged = merged.filter((candidate) => !same(candidate, item));
      else throw unknownDirective(item[DIRECTIVE]);
    }
    const unordered = order === undefined ? undefined : plain.find((item) => !order.some((named) => same(named, item)));
    if (unordered !== undefined) throw badRequest(`${SET_ORDER}… does not name ${JSON.stringify(unordered)}`);
    const itemType = type?.form === 'list' ? type.of : undefined;
    for (const item of plain) {
      const at = merged.findIndex((candidate) => same(candidate, item));
      const before = merged[at];
      if (at < 0) merged.push(withoutDirectives(item));
      else merged[at] = isJson(before) && isJson(item) ? this.object(before, item, itemType) : item;
    }
    return arranged(merged, order ?? plain, old, same);
  }

  #typeOf(type: FieldType | undefined, name: string): FieldType | undefined {
    if (type?.form === 'object') return this.#tables.get(type.name)?.get(name);
    return type?.form === 'map' ? type.of : undefined;
  }
}

/** Names that the patch is about: its own, and those that only a directive names. */
function fieldsOf(patch: Json): ReadonlySet<string> {
  const names = new Set<string>();
  for (const name of Object.keys(patch)) {
    if (name === DIRECTIVE || name === RETAIN_KEYS) continue;
    const prefix = [SET_ORDER, DELETE_VALUES].find((start) => name.startsWith(start));
    if (prefix === undefined) names.add(name);
    else {
      if (!Array.isArray(patch[name])) throw badRequest(`${name} of a strategic merge patch must be a list`);
      names.add(name.slice(prefix.length));
    }
  }
  return names;
}

/** A copy of the object, with the listed members alone when there is a list: for unions. */
function retained(target: Json, keys: unknown, fields: ReadonlySet<string>): Json {
  if (keys === undefined) return { ...target };
  if (!Array.isArray(keys)) throw badRequest(`${RETAIN_KEYS} of a strategic merge patch must be a list`);
  for (const name of fields) {
    if (!contains(keys, name)) throw badRequest(`${RETAIN_KEYS} does not name ${name}, which the patch sets`);
  }
  return Object.fromEntries(Object.entries(target).filter(([name]) => contains(keys, name)));
}

/** What tells items apart; items without their key cannot be merged. */
function identity(item: unknown, key: string): unknown {
  if (key === '') return item;
  const value = isJson(item) ? item[key] : undefined;
  if (value === undefined) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  return value;
}

/**
 * The order of a merged list: what the patch names as the patch orders it, the rest where it stood before relative to those.
 */
function arranged(
  merged: readonly unknown[],
  order: readonly unknown[],
  old: readonly unknown[],
  same: (a: unknown, b: unknown) => boolean,
): readonly unknown[] {
  const indexIn = (list: readonly unknown[], item: unknown): number => list.findIndex((other) => same(other, item));
  const named = merged.filter((item) => indexIn(order, item) >= 0);
  named.sort((a, b) => indexIn(order, a) - indexIn(order, b));
  const rest = merged.filter((item) => indexIn(order, item) < 0);
  const result: unknown[] = [];
  for (const item of named) {
    const at = indexIn(old, item);
    while (at >= 0 && rest.length > 0 && indexIn(old, rest[0]) < at) result.push(rest.shift());
    result.push(item);
  }
  return [...result, ...rest];
}

function isDirected(value: unknown): value is Json {
  return isJson(value) && value[DIRECTIVE] !== undefined;
}

/** A value that is taken whole: nulls and directives in it mean nothing any more. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !isDirected(item)).map((item) => withoutDirectives(item));
  }
  return isJson(value) ? plainObject(value) : value;
}

function plainObject(object: Json): Json {
  const result: Json = {};
  for (const [name, member] of Object.entries(object)) {
    if (name === DIRECTIVE || name === RETAIN_KEYS || name.startsWith(SET_ORDER) || name.startsWith(DELETE_VALUES))
      continue;
    if (member !== null && !isDirected(member)) define(result, name, withoutDirectives(member));
  }
  return result;
}

function define(object: Json, name: string, value: unknown): void {
  if (value === undefined) Reflect.deleteProperty(object, name);
  // Not by assignment: a member called __proto__ must become a member.
  else Object.defineProperty(object, name, { writable: true, enumerable: true, configurable: true, value });
}

function contains(list: readonly unknown[], item: unknown): boolean {
  return list.some((other) => Bun.deepEquals(other, item));
}

function unknownDirective(directive: unknown): Error {
  return badRequest(`unknown ${DIRECTIVE} directive ${JSON.stringify(directive)}: replace or delete is expected`);
}

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const SET_ORDER = '$setElementOrder/';
const DELETE_VALUES = '$deleteFromPrimitiveList/';
