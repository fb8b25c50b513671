import { badRequest, tooManyOperations, unprocessable } from '../api-error.ts';
import { isJson, type Json } from '../json.ts';

/**
 * RFC 6902: operations one after the other, all or nothing. The inputs are left as they are. Answers are those of the API
 * server: 400 for what is no list of objects, 413 for too many, 422 for whatever cannot be applied.
 */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch must be a list of operations');
  if (operations.length > MAX_OPERATIONS) {
    throw tooManyOperations(operations.length, MAX_OPERATIONS);
  }
  if (!operations.every(isJson)) throw badRequest('each operation of a JSON patch must be an object');
  const copied = { bytes: 0 };
  return operations.reduce((value: unknown, operation) => apply(value, operation, copied), structuredClone(target));
}

function apply(root: unknown, operation: Json, copied: Copied): unknown {
  const { op, value } = operation;
  const path = pointer(operation, 'path');
  switch (op) {
    case 'add':
      return add(root, path, required(operation, value));
    case 'remove':
      return remove(root, path);
    case 'replace':
      return replace(root, path, required(operation, value));
    case 'move': {
      const from = pointer(operation, 'from');
      const moved = read(root, from);
      return add(remove(root, from), path, moved);
    }
    case 'copy':
      return add(root, path, copyOf(read(root, pointer(operation, 'from')), copied));
    case 'test':
      if (lookUp(root, path.slice(0, -1)) === undefined) throw missing(path);
      if (Bun.deepEquals(lookUp(root, path) ?? null, value ?? null)) return root;
      throw unprocessable(`testing value ${show(path)} failed`);
    default:
      throw unprocessable(`unknown operation ${JSON.stringify(op)} in a JSON patch`);
  }
}

type Path = readonly string[];

/** What the copies of one patch come to: each may double the object. */
interface Copied {
  bytes: number;
}

function copyOf(value: unknown, copied: Copied): unknown {
  const text = JSON.stringify(value);
  copied.bytes += text.length;
  if (copied.bytes <= MAX_COPIED_BYTES) return JSON.parse(text);
  throw unprocessable(`copies of a JSON patch may come to ${String(MAX_COPIED_BYTES)} bytes`);
}

/** `/a/b~1c` as `['a', 'b/c']` (RFC 6901). */
function pointer(operation: Json, name: 'path' | 'from'): Path {
  const text = operation[name];
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) {
    throw unprocessable(`${name} of a JSON patch operation must be a JSON pointer, not ${JSON.stringify(text)}`);
  }
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function required(operation: object, value: unknown): unknown {
  if (!Object.hasOwn(operation, 'value')) throw unprocessable('an operation of a JSON patch has no value');
  return structuredClone(value);
}

function lookUp(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (Array.isArray(value)) value = value[indexOf(value, part, value.length - 1)];
    else value = isJson(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}

/** What must be there. */
function read(root: unknown, path: Path): unknown {
  const value = lookUp(root, path);
  if (value === undefined) throw missing(path);
  return value;
}

function add(root: unknown, path: Path, value: unknown): unknown {
  const [parent, last] = parentOf(root, path);
  if (last === undefined) return value;
  if (Array.isArray(parent))
    parent.splice(last === '-' ? parent.length : indexOf(parent, last, parent.length), 0, value);
  else if (isJson(parent)) Object.defineProperty(parent, last, { ...MEMBER, value });
  else throw missing(path);
  return root;
}

function replace(root: unknown, path: Path, value: unknown): unknown {
  read(root, path);
  const [parent, last] = parentOf(root, path);
  if (last === undefined) return value;
  if (Array.isArray(parent)) parent[indexOf(parent, last, parent.length - 1)] = value;
  else if (isJson(parent)) parent[last] = value;
  return root;
}

function remove(root: unknown, path: Path): unknown {
  read(root, path);
  const [parent, last] = parentOf(root, path);
  if (last === undefined) throw unprocessable('the whole object cannot be removed');
  if (Array.isArray(parent)) parent.splice(indexOf(parent, last, parent.length - 1), 1);
  else if (isJson(parent)) Reflect.deleteProperty(parent, last);
  return root;
}

/** The container of the last part, and that part; undefined for the root itself. */
function parentOf(root: unknown, path: Path): readonly [unknown, string | undefined] {
  const last = path.at(-1);
  return [last === undefined ? root : lookUp(root, path.slice(0, -1)), last];
}

function indexOf(list: readonly unknown[], part: string, highest: number): number {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(part) || Number(part) > highest) {
    throw unprocessable(`${JSON.stringify(part)} is no index of a list of ${String(list.length)}`);
  }
  return Number(part);
}

function missing(path: Path): Error {
  return unprocessable(`path ${show(path)} does not exist`);
}

function show(path: Path): string {
  return `/${path.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;
}

/** By definition, not by assignment: a member called __proto__ must become a member. */
const MEMBER = { writable: true, enumerable: true, configurable: true };

/** Both as the API server. */
const MAX_OPERATIONS = 10_000;
const MAX_COPIED_BYTES = 3 * 1024 * 1024;
