import { problem, PROBLEMS, type ProblemName, problemsOf, ROUTES } from '@canal/admin-schema';
import { waitFor } from '@canal/testing';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { type Handlers, ProblemError } from '../handler.ts';
import { ADMIN, bearer, sampleBody, testApp, type TestApp, type TestAppOptions, VIEW } from './app.fixture.ts';

const open: FastifyInstance[] = [];

async function start(options: TestAppOptions = {}): Promise<TestApp> {
  const made = await testApp(options);
  open.push(made.app);
  return made;
}

afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

const JSON_TYPE = { 'content-type': 'application/json' };
const NET_CONF = { netConf: { Network: '10.244.0.0/16' } };
const etagged: Partial<Handlers> = {
  getNetConf: () => Promise.resolve({ body: NET_CONF, etag: 'v1' }),
};

interface Row {
  readonly name: string;
  readonly request: InjectOptions;
  readonly problem: ProblemName;
  readonly detail?: string;
}

const rows: readonly Row[] = [
  { name: 'an unknown path', request: { url: '/v2/nodes' }, problem: 'not-found' },
  { name: 'a path with a slash too many', request: { url: '/v1/leases/' }, problem: 'not-found' },
  { name: 'an unknown path with a body', request: { method: 'POST', url: '/nix', payload: 'x' }, problem: 'not-found' },
  { name: 'a path that is not encoded', request: { url: '/v1/nodes/%zz' }, problem: 'bad-request' },
  { name: 'another method', request: { method: 'DELETE', url: '/v1/nodes' }, problem: 'method-not-allowed' },
  {
    name: 'a method that nothing takes',
    request: { method: 'OPTIONS', url: '/v1/nodes' },
    problem: 'method-not-allowed',
  },
  { name: 'no token', request: { url: '/v1/nodes' }, problem: 'unauthenticated' },
  {
    name: 'an unknown token',
    request: { url: '/v1/nodes', headers: { authorization: 'Bearer nobody-knows-it' } },
    problem: 'unauthenticated',
  },
  { name: 'a token in the URL', request: { url: '/v1/nodes?access_token=token-of-view' }, problem: 'unauthenticated' },
  {
    name: 'a token in a cookie',
    request: { url: '/v1/nodes', headers: { cookie: 'token=token-of-view' } },
    problem: 'unauthenticated',
  },
  {
    name: 'a password',
    request: { url: '/v1/nodes', headers: { authorization: 'Basic dTpw' } },
    problem: 'unauthenticated',
  },
  {
    name: 'a role too small',
    request: { url: '/v1/diag', headers: VIEW },
    problem: 'forbidden',
    detail: 'canal-admin',
  },
  {
    name: 'Kubernetes away',
    request: { url: '/v1/nodes', headers: { authorization: 'Bearer token-without-kubernetes' } },
    problem: 'unavailable',
  },
  {
    name: 'another representation',
    request: { url: '/v1/nodes', headers: { ...VIEW, accept: 'text/html' } },
    problem: 'not-acceptable',
  },
  {
    name: 'JSON of a stream',
    request: { url: '/v1/flows/stream', headers: { ...VIEW, accept: 'application/json' } },
    problem: 'not-acceptable',
  },
  {
    name: 'an unknown parameter',
    request: { url: '/v1/nodes?limits=1', headers: VIEW },
    problem: 'invalid',
    detail: '#query/limits',
  },
  {
    name: 'an unknown parameter where there are none',
    request: { url: '/v1/config/net-conf?dryRun=true', headers: VIEW },
    problem: 'invalid',
  },
  {
    name: 'a parameter twice',
    request: { url: '/v1/nodes?limit=1&limit=2', headers: VIEW },
    problem: 'invalid',
    detail: '#query/limit',
  },
  {
    name: 'a limit too high',
    request: { url: '/v1/nodes?limit=501', headers: VIEW },
    problem: 'invalid',
    detail: '501',
  },
  {
    name: 'a name that cannot be',
    request: { url: '/v1/nodes/A_B', headers: VIEW },
    problem: 'invalid',
    detail: '#path/name',
  },
  {
    name: 'a body where none belongs',
    request: { method: 'GET', url: '/v1/nodes', headers: { ...VIEW, ...JSON_TYPE }, payload: '{}' },
    problem: 'bad-request',
  },
  {
    name: 'no content type',
    request: { method: 'POST', url: '/v1/explain', headers: VIEW },
    problem: 'unsupported-media-type',
  },
  ...[
    'text/plain',
    'application/json; charset=latin1',
    'application/json;charset=utf-8;x=y',
    'application/json\t; charset=utf-8',
    'application/json,text/plain',
    'application/json; a',
    'application/problem+json',
    'application/json5',
    'multipart/form-data; boundary=application/json',
  ].map((type): Row => ({
    name: `the content type ${JSON.stringify(type)}`,
    request: {
      method: 'POST',
      url: '/v1/explain',
      headers: { ...VIEW, 'content-type': type },
      payload: JSON.stringify(sampleBody('explain')),
    },
    problem: 'unsupported-media-type',
  })),
  { name: 'no JSON', request: explain('{"a":'), problem: 'bad-request' },
  { name: 'an empty body', request: explain(''), problem: 'bad-request' },
  { name: 'bytes that are no UTF-8', request: explain(Buffer.from([0x22, 0xff, 0x22])), problem: 'bad-request' },
  { name: 'a byte order mark', request: explain('\ufeff{}'), problem: 'bad-request' },
  { name: '__proto__', request: explain('{"__proto__":{}}'), problem: 'bad-request' },
  {
    name: '__proto__ in disguise, deep down',
    request: explain('{"a":[{"__pr\\u006fto__":1}]}'),
    problem: 'bad-request',
  },
  { name: 'a body too deep', request: explain('['.repeat(33) + ']'.repeat(33)), problem: 'too-large' },
  { name: 'a body too deep to be parsed at all', request: explain('['.repeat(500_000)), problem: 'too-large' },
  { name: 'a body too long', request: explain(`"${'x'.repeat(1 << 20)}"`), problem: 'too-large' },
  { name: 'a wrong body', request: explain('{"source":1}'), problem: 'invalid', detail: '/source' },
  { name: 'a write without If-Match', request: putNetConf({}), problem: 'precondition-required' },
  { name: 'If-Match: *', request: putNetConf({ 'if-match': '*' }), problem: 'precondition-required' },
  { name: 'an If-Match that is none', request: putNetConf({ 'if-match': 'v1' }), problem: 'bad-request' },
  {
    name: 'a key that is none',
    request: {
      ...explain('{}'),
      headers: { ...VIEW, ...JSON_TYPE, 'idempotency-key': 'with blank' },
      payload: JSON.stringify(sampleBody('explain')),
    },
    problem: 'bad-request',
  },
];

function explain(payload: string | Buffer): InjectOptions {
  return { method: 'POST', url: '/v1/explain', headers: { ...VIEW, ...JSON_TYPE }, payload };
}

function putNetConf(headers: Readonly<Record<string, string>>): InjectOptions {
  return {
    method: 'PUT',
    url: '/v1/config/net-conf',
    headers: { ...ADMIN, ...JSON_TYPE, ...headers },
    payload: NET_CONF,
  };
}

describe('what is refused is a problem', () => {
  test.each(rows)('$name: $problem', async ({ request, problem: name, detail }) => {
    const { app } = await start();
    const response = await app.inject(request);
    const body = response.json<{ detail: string; instance: string }>();
    expect({ status: response.statusCode, body }).toEqual({
      status: PROBLEMS[name].status,
      body: expect.objectContaining(problem(name, { detail: body.detail, instance: body.instance })) as unknown,
    });
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json(;|$)/);
    expect(response.headers['x-request-id']).toBe(body.instance);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.body).not.toContain('token-of');
    if (detail !== undefined) expect(response.body).toContain(detail);
  });

  test('405 says what the path takes', async () => {
    const { app } = await start();
    const allow = async (url: string) => (await app.inject({ method: 'PATCH', url })).headers['allow'];
    expect(await allow('/v1/config/net-conf')).toBe('GET, PUT');
    expect(await allow('/v1/nodes/a')).toBe('GET');
    expect(await allow('/metrics')).toBe('GET');
  });

  test('401 says how to come in', async () => {
    const { app } = await start();
    expect((await app.inject('/v1/nodes')).headers['www-authenticate']).toMatch(/^Bearer/);
  });

  test('what a handler throws by mistake tells the client nothing, and the log what happened', async () => {
    const { app, log } = await start({ handlers: { listNodes: () => Promise.reject(new Error('the inner works')) } });
    const response = await app.inject({ url: '/v1/nodes', headers: { ...VIEW, 'x-request-id': 'r-1' } });
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('inner');
    expect(log.records.find(({ level }) => level === 'error')?.fields).toMatchObject({
      request: 'r-1',
      fault: 'Error: the inner works',
    });
  });

  test('an answer that is not as its schema says is a fault where answers are checked', async () => {
    const handlers = { getNetConf: () => Promise.resolve({ body: { netConf: 1 } }) } as unknown as Partial<Handlers>;
    const { app } = await start({ handlers });
    expect((await app.inject({ url: '/v1/config/net-conf', headers: VIEW })).statusCode).toBe(500);
  });

  test('a handler that does not end in time', async () => {
    const { app, clock } = await start({ handlers: { listNodes: () => new Promise(() => undefined) } });
    const asked = app.inject({ url: '/v1/nodes', headers: VIEW });
    await waitFor('the handler', () => clock.sleeping > 0);
    await clock.advance(20_000);
    const response = await asked;
    expect(response.statusCode).toBe(503);
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  });
});

describe('what handlers are given', () => {
  test('parsed values, the user, the id, the tags', async () => {
    const calls: unknown[] = [];
    const note = (answer: unknown) => (call: unknown) => {
      calls.push(call);
      return Promise.resolve(answer);
    };
    const verdict = { applied: false, problems: [], warnings: [], effects: [] };
    const handlers = {
      listNodes: note({ body: { items: [], partial: false, missing: [] } }),
      putNetConf: note({ body: verdict }),
    };
    const { app } = await start({ handlers: handlers as unknown as Partial<Handlers> });
    await app.inject({ url: '/v1/nodes?limit=7', headers: { ...VIEW, 'x-request-id': 'mine.1' } });
    const put = putNetConf({ 'if-match': '"a", W/"b", "c"', 'content-type': 'Application/JSON ; charset="UTF-8"' });
    expect((await app.inject({ ...put, url: '/v1/config/net-conf?dryRun=true' })).statusCode).toBe(200);
    expect(calls).toMatchObject([
      { query: { limit: 7 }, user: 'view', requestId: 'mine.1', dryRun: false, ifMatch: undefined, params: undefined },
      { body: NET_CONF, user: 'admin', dryRun: true, ifMatch: ['a', 'c'], query: undefined },
    ]);
  });

  test.each(['', 'x'.repeat(65), 'a b', 'a\u00e4'])('the request id %j is not taken', async (id) => {
    const { app } = await start();
    const response = await app.inject({ url: '/livez', headers: { 'x-request-id': id } });
    expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('ETags', () => {
  test.each([
    [undefined, 200],
    ['"v1"', 304],
    ['W/"v1"', 304],
    ['"v0", "v1"', 304],
    ['*', 304],
    ['"v0"', 200],
    ['v1', 200],
  ])('If-None-Match: %s gives %i', async (given, status) => {
    const { app } = await start({ handlers: etagged });
    const headers = { ...VIEW, ...(given !== undefined && { 'if-none-match': given }) };
    const response = await app.inject({ url: '/v1/config/net-conf', headers });
    expect(response.statusCode).toBe(status);
    expect(response.headers['etag']).toBe('"v1"');
    expect(response.body === '').toBe(status === 304);
  });

  test('412 is the handler’s to say', async () => {
    const { app } = await start({
      handlers: { putNetConf: () => Promise.reject(new ProblemError('precondition-failed', 'changed')) },
    });
    expect((await app.inject(putNetConf({ 'if-match': '"old"' }))).statusCode).toBe(412);
  });
});

test('a list says where it goes on', async () => {
  const { app } = await start({
    handlers: { listNodes: () => Promise.resolve({ body: { items: [], next: 'c+1', partial: false, missing: [] } }) },
  });
  const response = await app.inject({ url: '/v1/nodes?limit=1&cursor=c0', headers: VIEW });
  expect(response.headers['link']).toBe('</v1/nodes?limit=1&cursor=c%2B1>; rel="next"');
});

describe('Idempotency-Key', () => {
  const keyed = (key: string, more: InjectOptions = {}): InjectOptions => ({
    method: 'POST',
    url: '/v1/config/net-conf/validate',
    payload: NET_CONF,
    ...more,
    headers: { ...VIEW, ...JSON_TYPE, 'idempotency-key': key, ...more.headers },
  });
  const counting = () => {
    let count = 0;
    const validateNetConf = () =>
      Promise.resolve({ body: { applied: false, problems: [], warnings: [], effects: [`${++count}`] } });
    return { validateNetConf } as Partial<Handlers>;
  };

  test('gives the same answer again, for a day', async () => {
    const { app, clock } = await start({ handlers: counting() });
    const ask = async () => (await app.inject(keyed('k'))).json<{ effects: string[] }>().effects;
    expect([await ask(), await ask()]).toEqual([['1'], ['1']]);
    await clock.advance(24 * 3600 * 1000);
    expect(await ask()).toEqual(['2']);
  });

  test('is one user’s, one route’s and one body’s', async () => {
    const { app } = await start({ handlers: counting() });
    const statusOf = async (more?: InjectOptions) => (await app.inject(keyed('k', more))).statusCode;
    expect(await statusOf()).toBe(200);
    expect(await statusOf({ payload: { netConf: {} } })).toBe(409);
    expect(await statusOf({ url: '/v1/explain', payload: sampleBody('explain') as object })).toBe(409);
    // Another's key is not ours to know of.
    expect(await statusOf({ headers: ADMIN })).toBe(200);
  });

  test('of two at a time one is done', async () => {
    const { app } = await start({ handlers: counting() });
    const answers = await Promise.all([1, 2, 3].map(() => app.inject(keyed('k'))));
    expect(answers.map((answer) => answer.json<{ effects: string[] }>().effects)).toEqual([['1'], ['1'], ['1']]);
  });

  test.each([
    ['a fault is not kept', new Error('broken'), 500, 200],
    ['a wait is not kept', new ProblemError('too-many-requests', 'wait'), 429, 200],
    ['a refusal is kept', new ProblemError('conflict', 'no'), 409, 409],
  ])('%s', async (_name, error, first, second) => {
    let isBroken = true;
    const body = { applied: false, problems: [], warnings: [], effects: [] };
    const validateNetConf = () => (isBroken ? Promise.reject(error) : Promise.resolve({ body }));
    const { app } = await start({ handlers: { validateNetConf } });
    expect((await app.inject(keyed('k'))).statusCode).toBe(first);
    isBroken = false;
    expect((await app.inject(keyed('k'))).statusCode).toBe(second);
  });
});

describe('limits', () => {
  test('one user beyond the rate waits, another does not', async () => {
    const { app, clock } = await start({ limits: { client: { perSecond: 1, burst: 2 } } });
    const statusOf = async (role: 'view' | 'admin') => {
      const response = await app.inject({ url: '/v1/nodes', headers: bearer(role) });
      return response.statusCode === 429 ? `429 after ${String(response.headers['retry-after'])}` : response.statusCode;
    };
    expect([await statusOf('view'), await statusOf('view'), await statusOf('view')]).toEqual([200, 200, '429 after 1']);
    expect(await statusOf('admin')).toBe(200);
    await clock.advance(1000);
    expect(await statusOf('view')).toBe(200);
  });

  test('wrong tokens from one address are not looked up for ever, and do not lock out who has a good one', async () => {
    const { app } = await start({ limits: { anonymous: { perSecond: 0.1, burst: 3 } } });
    const statusOf = async (token: string) =>
      (await app.inject({ url: '/v1/nodes', headers: { authorization: `Bearer ${token}` } })).statusCode;
    expect(await statusOf('token-of-view')).toBe(200);
    const guesses = [];
    for (let guess = 0; guess < 5; guess++) guesses.push(await statusOf(`guess-${guess}`));
    expect(guesses).toEqual([401, 401, 401, 429, 429]);
    expect(await statusOf('token-of-view')).toBe(200);
    expect(await statusOf('token-of-admin')).toBe(429);
    expect((await app.inject('/livez')).statusCode).toBe(200);
  });

  test('many who have no token use up nothing of those who have one', async () => {
    const { app } = await start({
      limits: { anonymous: { perSecond: 0.1, burst: 3 }, total: { perSecond: 0.1, burst: 10 } },
    });
    const statuses = [];
    for (let turn = 0; turn < 20; turn++) statuses.push((await app.inject({ url: '/v1/nodes' })).statusCode);
    expect(statuses.filter((status) => status === 429)).toHaveLength(17);
    expect((await app.inject({ url: '/nix' })).statusCode).toBe(429);
    // From another address: of this one tokens that are not known yet are not looked up for a while.
    const known = { url: '/v1/nodes', headers: VIEW, remoteAddress: '192.0.2.7' };
    for (let turn = 0; turn < 10; turn++) expect((await app.inject(known)).statusCode).toBe(200);
    expect((await app.inject(known)).statusCode).toBe(429);
  });

  test('many tokens at one time are no more guesses than one after the other', async () => {
    let lookedUp = 0;
    const authority = {
      authenticate: async () => {
        lookedUp++;
        await new Promise((resolve) => setImmediate(resolve));
        return undefined;
      },
      isAllowed: () => Promise.resolve(false),
    };
    const { app } = await start({ authority, limits: { anonymous: { perSecond: 0.1, burst: 5 } } });
    const guess = (number: number) =>
      app.inject({ url: '/v1/nodes', headers: { authorization: `Bearer guess-${number}` } });
    const statuses = (await Promise.all(Array.from({ length: 100 }, (_, number) => guess(number)))).map(
      ({ statusCode }) => statusCode,
    );
    expect(lookedUp).toBe(5);
    expect(statuses.filter((status) => status === 401)).toHaveLength(5);
    expect(statuses.filter((status) => status === 429)).toHaveLength(95);
  });

  test('many requests at one time with a token that is new are no guesses', async () => {
    const { app } = await start({ limits: { anonymous: { perSecond: 0.1, burst: 3 } } });
    const asked = Array.from({ length: 50 }, () => app.inject({ url: '/v1/nodes', headers: VIEW }));
    expect(new Set((await Promise.all(asked)).map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
  });

  test('not all can wait for Kubernetes to say who they are, and who is known need not', async () => {
    let isSlow = false;
    const waiting: (() => void)[] = [];
    const authority = {
      authenticate: async (token: string) => {
        if (isSlow && token === 'new') await new Promise<void>((resolve) => waiting.push(resolve));
        return { user: token, key: token };
      },
      isAllowed: () => Promise.resolve(true),
    };
    const { app } = await start({ authority });
    const statusOf = async (token: string) =>
      (await app.inject({ url: '/v1/nodes', headers: { authorization: `Bearer ${token}` } })).statusCode;
    expect(await statusOf('known')).toBe(200);
    isSlow = true;
    const asked = Array.from({ length: 300 }, () => statusOf('new'));
    await waitFor('those that may wait', () => waiting.length === 256);
    expect(await statusOf('known')).toBe(200);
    for (const go of waiting) go();
    const statuses = await Promise.all(asked);
    expect(statuses.filter((status) => status === 429)).toHaveLength(44);
    expect(statuses.filter((status) => status === 200)).toHaveLength(256);
  });

  test('addresses of one IPv6 network are one, and many networks together have a limit, too', async () => {
    const { app } = await start({
      limits: { anonymous: { perSecond: 0.1, burst: 2 }, strangers: { perSecond: 0.1, burst: 5 } },
    });
    const statusFrom = async (remoteAddress: string) =>
      (await app.inject({ url: '/v1/nodes', remoteAddress })).statusCode;
    const addresses = ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1'];
    expect(await Promise.all(addresses.map(statusFrom))).toEqual([401, 401, 429, 401]);
    const mapped = ['::ffff:192.0.2.1', '::ffff:192.0.2.2', '::ffff:192.0.2.3'];
    expect(await Promise.all(mapped.map(statusFrom))).toEqual([401, 401, 429]);
    const known = { url: '/v1/nodes', headers: VIEW, remoteAddress: '192.0.2.9' };
    expect((await app.inject(known)).statusCode).toBe(429);
  });

  test('tokens that cannot be looked up count as wrong ones', async () => {
    const { app } = await start({ limits: { anonymous: { perSecond: 0.1, burst: 2 } } });
    const statuses = [];
    for (let turn = 0; turn < 3; turn++) {
      const headers = { authorization: 'Bearer token-without-kubernetes' };
      statuses.push((await app.inject({ url: '/v1/nodes', headers })).statusCode);
    }
    expect(statuses).toEqual([503, 503, 429]);
  });

  test('requests under way, and those with bodies', async () => {
    const gates: (() => void)[] = [];
    const body = { items: [], partial: false, missing: [] };
    const listNodes = () => new Promise<{ body: typeof body }>((resolve) => gates.push(() => resolve({ body })));
    const { app } = await start({ handlers: { listNodes }, limits: { maxInFlight: 2 } });
    const asked = [1, 2].map(() => app.inject({ url: '/v1/nodes', headers: VIEW }));
    await waitFor('both', () => gates.length === 2);
    expect((await app.inject({ url: '/v1/leases', headers: VIEW })).statusCode).toBe(429);
    for (const gate of gates) gate();
    expect((await Promise.all(asked)).map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    await waitFor('room', async () => (await app.inject({ url: '/v1/leases', headers: VIEW })).statusCode === 200);
  });
});

describe('writes are recorded', () => {
  test('with who, what and how it ended; reads and trials of others are not', async () => {
    const verdict = { applied: true, problems: [], warnings: [], effects: [] };
    const putNetConf_ = () =>
      Promise.resolve({ body: verdict, audit: { object: 'ConfigMap a/b', changes: ['-1', '+2'] } });
    const { app, audit, log } = await start({ handlers: { putNetConf: putNetConf_ } });
    await app.inject(explain(JSON.stringify(sampleBody('explain'))));
    await app.inject({
      ...putNetConf({ 'if-match': '"v1"', 'x-request-id': 'r1' }),
      url: '/v1/config/net-conf?dryRun=true',
    });
    await app.inject({ ...putNetConf({ 'x-request-id': 'r2', ...VIEW }) });
    await waitFor('the records', () => audit.list().length === 2);
    const same = { time: '2026-11-21T10:00:00.000Z', operation: 'putNetConf' };
    expect(audit.list()).toEqual([
      {
        ...same,
        requestId: 'r2',
        user: 'view',
        object: '/v1/config/net-conf',
        dryRun: false,
        status: 403,
        changes: [],
      },
      {
        ...same,
        requestId: 'r1',
        user: 'admin',
        object: 'ConfigMap a/b',
        dryRun: true,
        status: 200,
        changes: ['-1', '+2'],
      },
    ]);
    expect(log.messages('info').filter((message) => message === 'audit')).toHaveLength(2);
  });
});

describe('pages of its own', () => {
  test('the document has every route, with an ETag', async () => {
    const { app } = await start();
    const response = await app.inject('/openapi.json');
    const etag = response.headers['etag'];
    expect(Object.keys(response.json<{ paths: object }>().paths)).toHaveLength(
      new Set(ROUTES.map(({ path }) => path)).size,
    );
    expect((await app.inject({ url: '/openapi.json', headers: { 'if-none-match': String(etag) } })).statusCode).toBe(
      304,
    );
  });

  test('the page for people has every route and nothing from elsewhere', async () => {
    const { app } = await start();
    const { body, headers } = await app.inject('/docs');
    for (const { id, method, path } of ROUTES) expect(body).toContain(`id="${id}"><code>${method} ${path}</code>`);
    expect(body).not.toMatch(/https?:|<script|src=|@import/);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
  });

  test('probes need no token, metrics do', async () => {
    const { app } = await start();
    expect((await app.inject('/livez')).statusCode).toBe(200);
    const ready = await app.inject('/readyz');
    expect([ready.statusCode, ready.body]).toEqual([503, 'not yet\n']);
    expect((await app.inject('/metrics')).statusCode).toBe(401);
    expect((await app.inject({ url: '/metrics', headers: bearer('view') })).body).toContain(
      'canal_admin_requests_total{operation="metrics",status="401"} 1',
    );
  });

  test('nothing lets a page of another origin read it', async () => {
    const { app } = await start();
    const { headers } = await app.inject({ url: '/v1/nodes', headers: { ...VIEW, origin: 'https://evil.example' } });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

test('authorisation: each role by each route', async () => {
  const { app } = await start();
  const order = ['nobody', 'view', 'operate', 'admin'];
  for (const route of ROUTES) {
    for (const role of order) {
      const request = {
        method: route.method,
        url: route.path.replace('{name}', 'a').replace('{address}', '10.244.1.5'),
        headers: { authorization: `Bearer token-of-${role}`, ...JSON_TYPE, 'if-match': '"v1"' },
      };
      const payload = sampleBody(route.id) as object | undefined;
      const { statusCode } = await app.inject({ ...request, ...(payload !== undefined && { payload }) });
      const isAllowed = order.indexOf(role) >= order.indexOf(route.role);
      expect([route.id, role, statusCode]).toEqual([route.id, role, isAllowed ? 200 : 403]);
      expect(statusCode === 200 || problemsOf(route).some((name) => PROBLEMS[name].status === statusCode)).toBe(true);
    }
  }
});
