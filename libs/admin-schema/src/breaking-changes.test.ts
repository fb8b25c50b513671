import { describe, expect, test } from 'vitest';
import { breakingChanges } from './breaking-changes.ts';
import { type Json, type JsonObject, openApiDocument } from './openapi.ts';
import { ROUTES } from './routes.ts';

const BEFORE = openApiDocument(ROUTES, { version: '1' });

type Path = readonly (string | number)[];
type Change = (document: JsonObject) => void;

/** The object or list at a place, to be changed. */
function place(document: JsonObject, path: Path): Record<string, unknown> & unknown[] {
  const found = path.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], document);
  if (typeof found !== 'object' || found === null) throw new Error(`the document has no ${path.join('.')}`);
  return found as Record<string, unknown> & unknown[];
}

const set =
  (path: Path, value: Json): Change =>
  (document) => {
    place(document, path.slice(0, -1))[String(path.at(-1))] = value;
  };
const drop =
  (...path: Path): Change =>
  (document) => {
    const last = String(path.at(-1));
    const holder = place(document, path.slice(0, -1));
    expect(holder).toHaveProperty([last]);
    Reflect.deleteProperty(holder, last);
  };
const push =
  (path: Path, value: Json): Change =>
  (document) => {
    place(document, path).push(value);
  };
const pop =
  (...path: Path): Change =>
  (document) => {
    place(document, path).pop();
  };

function changed(change: Change): JsonObject {
  const copy = structuredClone(BEFORE);
  change(copy);
  return copy;
}

const LIST = ['paths', '/v1/nodes', 'get'] as const;
const SCHEMAS = ['components', 'schemas'] as const;
const POLICY = [...SCHEMAS, 'Policy'] as const;
const QUESTION = [...SCHEMAS, 'FlowQuestion'] as const;
const AGENT_STATE = [...SCHEMAS, 'Agent', 'properties', 'state'] as const;
const OPTIONAL = { name: 'zone', in: 'query', required: false, schema: {} };

test('the same document breaks nobody', () => {
  expect(breakingChanges(BEFORE, BEFORE)).toEqual([]);
});

describe('breaks', () => {
  test.each<[string, Change, string]>([
    ['a path that is gone', drop('paths', '/v1/leases'), 'GET /v1/leases is gone'],
    ['a method that is gone', drop('paths', '/v1/explain', 'post'), 'POST /v1/explain is gone'],
    ['another operationId', set([...LIST, 'operationId'], 'nodes'), 'another operationId'],
    ['a parameter that is gone', set([...LIST, 'parameters'], []), 'parameter query limit is gone'],
    ['one that is needed', set([...LIST, 'parameters', 1, 'required'], true), 'parameter query cursor is needed'],
    [
      'a new one that is',
      push([...LIST, 'parameters'], { ...OPTIONAL, required: true }),
      'parameter query zone is needed',
    ],
    ['a lower limit', set([...LIST, 'parameters', 0, 'schema', 'maximum'], 100), 'another maximum'],
    ['a field of an answer that is gone', drop(...POLICY, 'properties', 'selects'), 'selects is gone'],
    ['one that may be absent', set([...POLICY, 'required'], ['name']), 'namespace may be absent'],
    ['another type', set([...POLICY, 'properties', 'selects', 'type'], 'string'), 'selects: another type'],
    ['another value', push([...AGENT_STATE, 'enum'], 'odd'), 'odd may come, too'],
    ['any value', drop(...AGENT_STATE, 'enum'), 'any value may come'],
    ['a field of a request that is needed', push([...QUESTION, 'required'], 'port'), 'port is needed'],
    ['one that is gone', drop(...QUESTION, 'properties', 'port'), 'port is gone'],
    ['an alternative that is gone', pop(...QUESTION, 'properties', 'port', 'anyOf'), 'alternative 1 is gone'],
    [
      'an answer of another kind',
      set([...LIST, 'responses', '200', 'content'], { 'text/csv': { schema: {} } }),
      'answer 200 application/json is gone',
    ],
  ])('%s', (_, change, expected) => {
    expect(breakingChanges(BEFORE, changed(change)).join('\n')).toContain(expected);
  });
});

describe('breaks nobody', () => {
  test.each<[string, Change]>([
    ['a new path', set(['paths', '/v1/new'], { get: { operationId: 'new', responses: {} } })],
    ['a new field of an answer', set([...POLICY, 'properties', 'more'], { type: 'string' })],
    ['one that is always there now', push([...SCHEMAS, 'Lease', 'required'], 'publicIp')],
    ['a new field of a request', set([...QUESTION, 'properties', 'more'], { type: 'string' })],
    ['a new parameter', push([...LIST, 'parameters'], OPTIONAL)],
    ['a higher limit', set([...LIST, 'parameters', 0, 'schema', 'maximum'], 1_000)],
    ['other words', set([...LIST, 'summary'], 'other')],
    ['an error that does not come any more', drop(...LIST, 'responses', '410')],
    ['a value that does not come any more', pop(...AGENT_STATE, 'enum')],
  ])('%s', (_, change) => {
    const after = changed(change);
    expect(after).not.toEqual(BEFORE);
    expect(breakingChanges(BEFORE, after)).toEqual([]);
  });
});
