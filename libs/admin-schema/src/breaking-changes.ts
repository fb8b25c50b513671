/**
 * What in a new document would break a client of the old one: an operation or answer that is gone, a request that must
 * say more or may say less, an answer that says less or something else. Additions are none.
 */
import type { Json, JsonObject } from './openapi.ts';

/** Sentences, each with the place. */
export function breakingChanges(before: JsonObject, after: JsonObject): readonly string[] {
  const old = new Reader(before);
  const now = new Reader(after);
  const changes: string[] = [];
  for (const [path, methods] of entries(old.document['paths'])) {
    for (const [method, operation] of entries(methods)) {
      const where = `${method.toUpperCase()} ${path}`;
      const next = at(now.document, 'paths', path, method);
      if (next === undefined) changes.push(`${where} is gone`);
      else changes.push(...operationChanges(where, [old, operation], [now, next]));
    }
  }
  return changes;
}

type Side = readonly [Reader, Json];

/** Follows references within one document. */
class Reader {
  readonly document: JsonObject;

  constructor(document: JsonObject) {
    this.document = document;
  }

  resolve(schema: Json | undefined): JsonObject {
    const object = objectOf(schema);
    const reference = object['$ref'];
    if (typeof reference !== 'string') return object;
    return this.resolve(at(this.document, ...reference.slice('#/'.length).split('/')));
  }
}

function operationChanges(where: string, [old, before]: Side, [now, after]: Side): string[] {
  const changes: string[] = [];
  if (at(before, 'operationId') !== at(after, 'operationId')) changes.push(`${where}: another operationId`);
  changes.push(...parameterChanges(where, [old, before], [now, after]));
  const body = at(after, 'requestBody', 'content', 'application/json', 'schema');
  const bodyBefore = at(before, 'requestBody', 'content', 'application/json', 'schema');
  if (bodyBefore === undefined && body !== undefined) changes.push(`${where}: needs a body`);
  if (bodyBefore !== undefined)
    changes.push(...schemaChanges(`${where} body`, 'request', [old, bodyBefore], [now, body ?? {}]));
  for (const [status, answer] of entries(at(before, 'responses'))) {
    for (const [type, content] of entries(at(answer, 'content'))) {
      const next = at(after, 'responses', status, 'content', type, 'schema');
      const place = `${where} answer ${status} ${type}`;
      // Fewer kinds of errors break nobody.
      if (next === undefined && Number(status) >= 400) continue;
      if (next === undefined) changes.push(`${place} is gone`);
      else changes.push(...schemaChanges(place, 'answer', [old, at(content, 'schema') ?? {}], [now, next]));
    }
  }
  return changes;
}

function parameterChanges(where: string, [old, before]: Side, [now, after]: Side): string[] {
  const key = (parameter: Json): string => `${textOf(at(parameter, 'in'))} ${textOf(at(parameter, 'name'))}`;
  const known = new Map(arrayOf(at(before, 'parameters')).map((parameter) => [key(parameter), parameter]));
  const next = new Map(arrayOf(at(after, 'parameters')).map((parameter) => [key(parameter), parameter]));
  const gone = [...known.keys()].filter((name) => !next.has(name)).map((name) => `${where}: parameter ${name} is gone`);
  const changed = [...next].flatMap(([name, parameter]) => {
    const previous = known.get(name);
    const isRequired = at(parameter, 'required') === true;
    if (previous === undefined) return isRequired ? [`${where}: parameter ${name} is needed`] : [];
    const stricter = isRequired && at(previous, 'required') !== true ? [`${where}: parameter ${name} is needed`] : [];
    const sides = [
      [old, at(previous, 'schema') ?? {}],
      [now, at(parameter, 'schema') ?? {}],
    ] as const;
    return [...stricter, ...schemaChanges(`${where} ${name}`, 'request', ...sides)];
  });
  return [...gone, ...changed];
}

/** `request`: what was accepted must be. `answer`: what was promised must come, and nothing that was excluded. */
function schemaChanges(where: string, use: 'request' | 'answer', [old, a]: Side, [now, b]: Side): string[] {
  const before = old.resolve(a);
  const after = now.resolve(b);
  const changes: string[] = [];
  for (const keyword of ['type', 'const', 'format', 'pattern'] as const) {
    if (before[keyword] === undefined && use === 'answer') continue;
    if (after[keyword] === undefined && use === 'request') continue;
    if (JSON.stringify(before[keyword]) !== JSON.stringify(after[keyword]))
      changes.push(`${where}: another ${keyword}`);
  }
  changes.push(...enumChanges(where, use, before, after), ...boundChanges(where, use, before, after));
  const required = { before: textsOf(before['required']), after: textsOf(after['required']) };
  const [more, fewer] = [difference(required.after, required.before), difference(required.before, required.after)];
  if (use === 'request') changes.push(...more.map((name) => `${where}.${name} is needed`));
  else changes.push(...fewer.map((name) => `${where}.${name} may be absent`));
  const properties = { before: objectOf(before['properties']), after: objectOf(after['properties']) };
  for (const [name, schema] of Object.entries(properties.before)) {
    const next = properties.after[name];
    if (next === undefined) changes.push(`${where}.${name} is gone`);
    else changes.push(...schemaChanges(`${where}.${name}`, use, [old, schema], [now, next]));
  }
  if (before['items'] !== undefined) {
    changes.push(...schemaChanges(`${where}[]`, use, [old, before['items']], [now, after['items'] ?? {}]));
  }
  changes.push(...variantChanges(where, use, [old, before], [now, after]));
  return changes;
}

function enumChanges(where: string, use: 'request' | 'answer', before: JsonObject, after: JsonObject): string[] {
  const values = { before: before['enum'], after: after['enum'] };
  if (use === 'request') {
    if (values.after === undefined) return [];
    if (values.before === undefined) return [`${where}: only some values are taken`];
    const gone = difference(textsOf(values.before), textsOf(values.after));
    return gone.map((value) => `${where}: ${value} is not taken any more`);
  }
  if (values.before === undefined) return [];
  if (values.after === undefined) return [`${where}: any value may come`];
  const more = difference(textsOf(values.after), textsOf(values.before));
  return more.map((value) => `${where}: ${value} may come, too`);
}

/** Limits of a request may widen, those of an answer may narrow. */
function boundChanges(where: string, use: 'request' | 'answer', before: JsonObject, after: JsonObject): string[] {
  const bounds = [
    ['minimum', 1],
    ['minLength', 1],
    ['minItems', 1],
    ['maximum', -1],
    ['maxLength', -1],
    ['maxItems', -1],
  ] as const;
  return bounds.flatMap(([keyword, sign]) => {
    const unbounded = -sign * Infinity;
    const value = (schema: JsonObject): number => (typeof schema[keyword] === 'number' ? schema[keyword] : unbounded);
    const tighter = sign * (value(after) - value(before));
    return (use === 'request' ? tighter > 0 : tighter < 0) ? [`${where}: another ${keyword}`] : [];
  });
}

/** Alternatives are compared in their order; a request may get more of them, an answer may lose the last ones. */
function variantChanges(where: string, use: 'request' | 'answer', [old, before]: Side, [now, after]: Side): string[] {
  const variants = { before: arrayOf(at(before, 'anyOf')), after: arrayOf(at(after, 'anyOf')) };
  const compared = variants.before.flatMap((variant, index) => {
    const next = variants.after[index];
    if (next === undefined) return use === 'request' ? [`${where}: alternative ${index} is gone`] : [];
    return schemaChanges(`${where} alternative ${index}`, use, [old, variant], [now, next]);
  });
  const more = use === 'answer' && variants.after.length > variants.before.length;
  return more ? [...compared, `${where}: another alternative may come`] : compared;
}

function at(value: Json | undefined, ...steps: readonly string[]): Json | undefined {
  let here = value;
  for (const step of steps) here = objectOf(here)[step];
  return here;
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function arrayOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function entries(value: Json | undefined): [string, Json][] {
  return Object.entries(objectOf(value));
}

function textsOf(value: Json | undefined): readonly string[] {
  return arrayOf(value).map(textOf);
}

function difference(a: readonly string[], b: readonly string[]): string[] {
  return a.filter((item) => !b.includes(item));
}
