/** Whatever is asked: a documented status, a body as its schema says, and no fault. Handlers that lie are found out. */
import { PROBLEMS, ROUTES } from '@canal/admin-schema';
import { ADMIN_API_SAMPLES, type ApiAnswer, ApiExercise, type ApiRequest, type SendRequest } from '@canal/testing';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { type Handlers, ProblemError } from '../handler.ts';
import { sampleAnswer, testApp, type TestApp, type TestAppOptions } from './app.fixture.ts';

const SEED = 20_261_122;
const open: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function start(options: TestAppOptions = {}): Promise<TestApp> {
  const started = await testApp({ ...options, handlers: { ...knowingHandlers(), ...options.handlers } });
  open.push(started.app);
  return started;
}

const ABSENT = ['no-such-thing', '192.0.2.254'];

/** Of the samples, and of what the requests are wrong in: a name, a cursor, an entity tag. */
function knowingHandlers(): Partial<Handlers> {
  const refuse = ({ params, query, body, ifMatch }: SeenCall): void => {
    if (Object.values(params ?? {}).some((name) => ABSENT.includes(String(name))))
      throw new ProblemError('not-found', 'no such thing');
    if (query?.['cursor'] === ADMIN_API_SAMPLES.expiredCursor) throw new ProblemError('cursor-expired', 'too old');
    if (query?.['cursor'] !== undefined) throw new ProblemError('invalid', 'no cursor');
    if (ifMatch !== undefined && !ifMatch.includes('v1')) throw new ProblemError('precondition-failed', 'changed');
    const netConf = body?.['netConf'] as Readonly<Record<string, unknown>> | undefined;
    if (ifMatch !== undefined && netConf?.['Network'] === 5) throw new ProblemError('invalid', 'no network');
  };
  const made = ROUTES.filter((route) => !('stream' in route.answer)).map(({ id }) => [
    id,
    (call: SeenCall) => {
      refuse(call);
      return Promise.resolve({ body: sampleAnswer(id), ...(id === 'getNetConf' && { etag: 'v1' }) });
    },
  ]);
  return Object.fromEntries(made) as Partial<Handlers>;
}

interface SeenCall {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly ifMatch?: readonly string[];
}

function sendTo(app: FastifyInstance): SendRequest {
  return async ({ method, path, headers, body }) => {
    const payload = typeof body === 'object' ? Buffer.from(body) : body;
    const response = await app.inject({
      method: method as 'GET',
      url: path,
      headers,
      ...(payload !== undefined && { payload }),
    });
    const given = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
    return {
      status: response.statusCode,
      headers: Object.fromEntries(given) as ApiAnswer['headers'],
      text: response.body,
    };
  };
}

async function exerciseOf(app: FastifyInstance, send = sendTo(app)): Promise<ApiExercise> {
  const document: unknown = (await app.inject('/openapi.json')).json();
  return new ApiExercise(document, {
    send,
    roles: ['view', 'operate', 'admin'].map((name) => ({ name, token: `token-of-${name}` })),
    strangerToken: 'token-of-nobody',
    samples: ADMIN_API_SAMPLES,
    seed: SEED,
    concurrency: 1,
  });
}

test('requests of its own document: all are answered as it says, and all that it says is seen', async () => {
  const { app, log } = await start();
  const limited = await start({ limits: { client: { perSecond: 1, burst: 2 } } });
  const exercise = await exerciseOf(app);
  await exercise.discover();
  await exercise.validOnes();
  await exercise.aimedOnes();
  await exercise.randomOnes({ requests: 1_500 });
  await exercise.limitedOnes(sendTo(limited.app));
  expect(exercise.faults).toEqual([]);
  const excuses = [
    { status: 404, operations: ['explain', 'getNetConf', 'putNetConf'], why: 'the sample is always there' },
    { status: 409, operations: ['getNetConf'], why: 'the sample can always be read' },
  ];
  expect(exercise.gaps(excuses)).toEqual([]);
  expect(log.messages('error')).toEqual([]);
});

describe('a server that lies is found out', () => {
  const refusal = (problem: 'conflict' | 'idempotency-mismatch') => () =>
    Promise.reject(new ProblemError(problem, 'no'));
  const liars: readonly { readonly name: string; readonly handlers: Partial<Handlers>; readonly fault: RegExp }[] = [
    {
      name: 'a status that is not documented',
      handlers: { listNodes: refusal('conflict') },
      fault: /^listNodes: GET \/v1\/nodes .*: 409 is not documented/,
    },
    {
      name: 'a problem that is not documented, of a status that is',
      handlers: { getNetConf: refusal('idempotency-mismatch') },
      fault: /^getNetConf: .*the problem is idempotency-mismatch: documented with 409 are conflict$/,
    },
    {
      name: 'a field too many',
      handlers: {
        getNode: () => Promise.resolve({ body: { ...(sampleAnswer('getNode') as object), more: 1 } as never }),
      },
      fault: /^getNode: .*not as its schema says: : there must be no more$/,
    },
    {
      name: 'a field of another type, deep down',
      handlers: {
        listLeases: () => Promise.resolve({ body: { items: [{ node: 1 }], partial: false, missing: [] } as never }),
      },
      fault: /^listLeases: .*not as its schema says: \/items\/0\/node is 1: expected string$/,
    },
    {
      name: 'an event that is none of its kind',
      handlers: {
        streamFlows: async function* () {
          yield await Promise.resolve({ type: 'item', id: '1', data: { verdict: 'perhaps' } as never } as const);
        },
      },
      fault: /^streamFlows: .*the data of an event is not as its schema says: \/verdict is "perhaps"/,
    },
    {
      name: 'a fault of its own',
      handlers: { diagnose: () => Promise.reject(new Error('broken')) },
      fault: /^diagnose: .*it answers 500/,
    },
    {
      name: 'a list whose part is missing and that does not say so',
      handlers: {
        listNodes: () =>
          Promise.resolve({ body: { items: [], partial: false, missing: [{ node: 'a', reason: 'b' }] } }),
      },
      fault: /^listNodes: .*partial and missing do not go together$/,
    },
  ];

  test.each(liars)('$name', async ({ handlers, fault }) => {
    const { app } = await start({ handlers, checkAnswers: false });
    const exercise = await exerciseOf(app);
    await exercise.validOnes();
    expect(exercise.faults).toContainEqual(expect.stringMatching(fault));
  });

  /** Between the exercise and a server that does all right. */
  async function withAnother(change: (request: ApiRequest) => ApiRequest): Promise<ApiExercise> {
    const { app } = await start();
    const send = sendTo(app);
    const exercise = await exerciseOf(app, (request) => send(change(request)));
    await exercise.aimedOnes();
    return exercise;
  }

  test('it takes a parameter that nobody knows', async () => {
    const { faults } = await withAnother((request) => ({ ...request, path: request.path.replace(/[?&]noSuch.*/, '') }));
    expect(faults).toContainEqual(
      expect.stringMatching(/^listNodes: .*a parameter is not known: expected 422, and it answers 200/),
    );
  });

  test('it lets in whoever comes', async () => {
    const exercise = await withAnother((request) => ({
      ...request,
      headers: { ...request.headers, authorization: 'Bearer token-of-admin' },
    }));
    expect(exercise.faults).toContainEqual(expect.stringMatching(/^putNetConf: .*operate may not: expected 403/));
    expect(exercise.gaps([])).toEqual(expect.arrayContaining(['listNodes never answered 401, which is documented']));
  });

  test('it never answers', async () => {
    const { app } = await start({ handlers: { getNode: () => Promise.reject(new ProblemError('not-found', 'no')) } });
    const exercise = await exerciseOf(app);
    await exercise.validOnes();
    expect(exercise.gaps([])).toContain('getNode was never answered with 2xx');
  });

  test('it never says that it is asked too often', async () => {
    const { app } = await start();
    const exercise = await exerciseOf(app);
    await exercise.limitedOnes(sendTo(app));
    expect(exercise.faults).toHaveLength(ROUTES.length);
  });
});

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

test('any path and method', async () => {
  const { app } = await start();
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
