/** Whatever is asked: a documented status, a body as its schema says, and no fault. */
import { problemsOf, PROBLEMS, ROUTES } from '@canal/admin-schema';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { bearer, sampleBody, testApp, type TestApp } from './app.fixture.ts';

let started: TestApp;
let app: FastifyInstance;

beforeAll(async () => {
  started = await testApp();
  ({ app } = started);
});
afterAll(() => app.close());

const problemBody = z.strictObject({
  type: z.enum(Object.keys(PROBLEMS).map((name) => `https://canalcni.github.io/problems/${name}`)),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string(),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
});

const headerText = fc.string({
  maxLength: 40,
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
});
const contentType = fc.oneof(
  { weight: 4, arbitrary: fc.constant('application/json') },
  fc.constantFrom(
    'application/json; charset=utf-8',
    'application/json;',
    'text/plain',
    'application/json\t',
    '',
    'Application/JSON',
  ),
  fc
    .tuple(fc.constantFrom('application/json', 'application/', ' application/json', 'application/json;'), headerText)
    .map((parts) => parts.join('')),
  headerText,
);

/** The sample of a route, with something in it replaced. */
const mutatedBody = (id: string) =>
  fc.tuple(fc.jsonValue(), fc.nat(9)).map(([value, place]) => {
    const sample = structuredClone(sampleBody(id) ?? {}) as Record<string, unknown>;
    const names = Object.keys(sample);
    const name = names[place % Math.max(1, names.length)];
    return JSON.stringify(
      place === 9 || name === undefined ? { ...sample, [`x${place}`]: value } : { ...sample, [name]: value },
    );
  });
const bodyOf = (id: string) =>
  fc.oneof(
    fc.constant(JSON.stringify(sampleBody(id) ?? {})),
    mutatedBody(id),
    fc.json(),
    fc.string({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.integer({ min: 1, max: 200 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
    fc.constant('{"__proto__":{"a":1}}'),
  );

const queryText = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom('limit', 'cursor', 'namespace', 'node', 'dryRun', 'verdict', '__proto__', 'constructor'),
        fc.string({ maxLength: 6 }),
      ),
      fc.oneof(fc.constantFrom('1', '500', '501', '-1', 'true', 'a', ''), fc.string({ maxLength: 10 })),
    ),
    { maxLength: 3 },
  )
  .map((pairs) =>
    pairs
      .map(([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`)
      .join('&'),
  );

const request = fc.constantFrom(...ROUTES).chain((route) =>
  fc.record(
    {
      route: fc.constant(route),
      name: fc.oneof(
        fc.constant('a'),
        fc.webPath().map((path) => path.replaceAll('/', '')),
        fc.string({ maxLength: 300 }).map((text) => encodeURIComponent(text.toWellFormed())),
      ),
      query: queryText,
      role: fc.oneof({ weight: 5, arbitrary: fc.constant('admin') }, fc.constantFrom('view', 'nobody', 'unheard-of')),
      contentType,
      ifMatch: fc.oneof(fc.constant('"v1"'), headerText),
      key: fc.oneof(fc.uuid(), headerText),
      accept: fc.oneof({ weight: 4, arbitrary: fc.constant('*/*') }, headerText),
      body: bodyOf(route.id),
    },
    { requiredKeys: ['route', 'name', 'query', 'role'] },
  ),
);

test('any request of a documented operation', async () => {
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(request, async ({ route, name, query, role, contentType: type, ifMatch, key, accept, body }) => {
      const url = `${route.path.replace('{name}', name)}${query === '' ? '' : `?${query}`}`;
      const headers = {
        ...bearer(role as 'view'),
        ...(type !== undefined && { 'content-type': type }),
        ...(ifMatch !== undefined && { 'if-match': ifMatch }),
        ...(key !== undefined && { 'idempotency-key': key }),
        ...(accept !== undefined && { accept }),
      };
      // A GET has no body unless it is a strange one; of those the table of conventions has some.
      const payload = route.method === 'GET' ? undefined : body;
      const response = await app.inject({
        method: route.method,
        url,
        headers,
        ...(payload !== undefined && { payload }),
      });
      const { statusCode } = response;
      seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1);
      const documented = problemsOf(route).map((problem) => PROBLEMS[problem].status as number);
      // An empty name, or one with a slash, is another path.
      expect([200, 304, ...documented, ...(name === '' ? [404] : [])]).toContain(statusCode);
      expect(statusCode).toBeLessThan(500);
      if (statusCode >= 400) {
        expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
        problemBody.parse(response.json());
      } else if ('stream' in route.answer)
        expect(response.body).toMatch(
          /^retry: \d+\n\nid: 1\nevent: flow\ndata: \{.*\}\n\nid: 2\nevent: resync\ndata: \{\}\n\n$/,
        );
      else route.answer.schema.parse(response.json());
    }),
    { numRuns: 600 },
  );
  // It has not all been refused at the door.
  expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 401, 403, 415, 422]));
  expect(started.log.messages('error')).toEqual([]);
});

test('any path and method', async () => {
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE' as 'GET');
  const url = fc.oneof(
    fc.webPath().map((path) => `/${path.replace(/^\//, '')}`),
    fc.string({ maxLength: 40 }).map((text) => `/${encodeURI(text.toWellFormed())}`),
    fc.constantFrom('/%', '/v1/%c0%af', '/v1//nodes', '*', '/v1/nodes;a=b', '/V1/NODES'),
  );
  await fc.assert(
    fc.asyncProperty(method, url, contentType, async (given, path, type) => {
      const response = await app.inject({
        method: given,
        url: path,
        headers: { 'content-type': type },
        ...(given !== 'GET' && given !== 'HEAD' && { payload: 'x' }),
      });
      expect([400, 401, 404, 405]).toContain(response.statusCode);
      if (given !== 'HEAD') problemBody.parse(response.json());
    }),
    { numRuns: 300 },
  );
});
