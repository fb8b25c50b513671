/** Requests of chance: valid ones with some of their parameters, and ones that are wrong in a way nobody has thought of. */
import type { ApiRequest } from './api-exchange.ts';
import type { ApiDocument, Operation } from './document.ts';
import { type Json, schemaErrors } from './json-schema.ts';
import { anyJson, mutated, textsOf } from './schema-values.ts';
import type { Seeded } from './seeded.ts';
import { type RequestParts, requestOf, type ValidRequests } from './valid-requests.ts';

export interface RandomRequest {
  readonly request: ApiRequest;
  /** `may`: whether it is answered or refused is the server's to know. */
  readonly expected: 'answered' | 'refused' | 'may';
}

export async function randomRequest(
  api: ApiDocument,
  operation: Operation,
  valid: ValidRequests,
  chance: Seeded,
): Promise<RandomRequest> {
  const parts = await valid.varied(operation, chance);
  if (chance.chance(0.3))
    return { request: requestOf(parts), expected: valid.isAnswerable(operation) ? 'answered' : 'may' };
  const [wrong, isRefused] = chance.pick(operation.body === undefined ? NO_BODY_WAYS : BODY_WAYS)(parts, chance, api);
  return { request: requestOf({ ...parts, ...wrong }), expected: isRefused ? 'refused' : 'may' };
}

type Way = (parts: RequestParts, chance: Seeded, api: ApiDocument) => readonly [Partial<RequestParts>, boolean];

const strangeQuery: Way = ({ operation, query }, chance, { components }) => {
  const known = operation.parameters.filter(({ in: place }) => place === 'query');
  const pairs = Array.from({ length: 1 + chance.below(3) }, (): readonly [string, string] => {
    const parameter = known.length > 0 && chance.chance(0.7) ? chance.pick(known) : undefined;
    if (parameter === undefined) return [chance.pick(STRANGE_NAMES), chance.pick(STRANGE_TEXTS)];
    const { valid, invalid } = textsOf(parameter, components);
    return [parameter.name, chance.pick([...valid, ...invalid])];
  });
  const isKnown = (name: string): boolean => known.some((parameter) => parameter.name === name);
  return [{ query: [...query, ...pairs] }, pairs.some(([name]) => !isKnown(name))];
};

const strangeHeader: Way = ({ headers }, chance) => {
  const name = chance.pick(HEADERS);
  const value = chance.pick([
    chance.pick(HEADER_TEXTS),
    printable(chance),
    `${String(headers[name])}${printable(chance)}`,
  ]);
  return [{ headers: { ...headers, [name]: value } }, false];
};

const strangePath: Way = ({ operation, path }, chance, { components }) => {
  const places = operation.parameters.filter((parameter) => parameter.in === 'path');
  if (places.length === 0) return [{}, false];
  const { name, schema } = chance.pick(places);
  const text = chance.pick(STRANGE_TEXTS);
  // Nothing may have a name that could be one, or something may.
  return [{ path: { ...path, [name]: text } }, schemaErrors(text, schema, components).length > 0];
};

const strangeValue: Way = ({ body, operation: { body: schema = {} } }, chance, { components }) => {
  let value = JSON.parse(typeof body === 'string' ? body : 'null') as Json;
  for (let times = 1 + chance.below(3); times > 0; times--) value = mutated(value, chance);
  const text = JSON.stringify(value);
  return [{ body: text }, schemaErrors(JSON.parse(text), schema, components).length > 0];
};

const anyBody: Way = ({ operation: { body: schema = {} } }, chance, { components }) => {
  const text = JSON.stringify(anyJson(chance, 5));
  return [{ body: text }, schemaErrors(JSON.parse(text), schema, components).length > 0];
};

const strangeBytes: Way = (_parts, chance) => {
  // 0x80 alone is no UTF-8.
  const bytes = [0x80, ...Array.from({ length: chance.below(60) }, () => chance.below(256))];
  return [{ body: Uint8Array.from(bytes) }, true];
};

const cutBody: Way = ({ body }, chance) => {
  const text = typeof body === 'string' ? body : '';
  return [{ body: text.slice(0, chance.below(text.length)) }, true];
};

const nested: Way = (_parts, chance) => {
  const depth = 1 + chance.below(200);
  return [
    { body: chance.pick(['['.repeat(depth) + ']'.repeat(depth), '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)]) },
    false,
  ];
};

const NO_BODY_WAYS: readonly Way[] = [strangeQuery, strangeQuery, strangeHeader, strangePath];
const BODY_WAYS: readonly Way[] = [
  ...[strangeValue, strangeValue, strangeValue, anyBody, strangeBytes, cutBody, nested],
  ...[strangeQuery, strangeHeader, strangePath],
];

const STRANGE_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  'noSuch',
  'a[b]',
  'limit ',
  'Limit',
];
const STRANGE_TEXTS = ['', '1', 'true', 'no-such', 'A_B', '..', 'a/b', '%', '%00', '\u0000', '🦊', 'a'.repeat(301)];
const HEADERS = [
  'content-type',
  'accept',
  'if-match',
  'if-none-match',
  'idempotency-key',
  'x-request-id',
  'last-event-id',
];
const HEADER_TEXTS = [
  ...['application/json; charset=utf-8', 'application/json;', 'text/plain', 'application/json\t', 'Application/JSON'],
  ...['*/*', 'application/*;q=0', '"v1"', 'W/"v1"', '*', '"', '', '1', ',', 'a'.repeat(300)],
];

/** What a header may have. */
function printable(chance: Seeded): string {
  return String.fromCharCode(...Array.from({ length: chance.below(40) }, () => 0x20 + chance.below(0x5f)));
}
