/** Against a server of the test's own, over TLS; apps/canalctl has a test against the real one. */
import { createCertificateAuthority } from '@canal/certificate';
import { type Server, serve } from 'bun';
import { afterEach, describe, expect, test } from 'vitest';
import { AdminApiError } from './admin-api-error.ts';
import { type AdminClient, createAdminClient } from './admin-client.ts';
import type { AdminServer } from './exchange.ts';

const AUTHORITY = createCertificateAuthority({ commonName: 'test' });
const { certPem, keyPem } = AUTHORITY.issueServer({ hosts: ['canal-admin-api.canal-system.svc'] });
const FOREVER = new AbortController().signal;

const servers: Server<undefined>[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
});

/** A client of a server that answers so. */
function clientOf(
  answer: (request: Request) => Response | Promise<Response>,
  options: Partial<AdminServer> = {},
): AdminClient {
  const server = serve({ port: 0, hostname: '127.0.0.1', tls: { cert: certPem, key: keyPem }, fetch: answer });
  servers.push(server);
  return createAdminClient({
    url: `https://127.0.0.1:${server.port}`,
    token: () => 'the-token',
    ca: AUTHORITY.certPem,
    serverName: 'canal-admin-api.canal-system.svc',
    ...options,
  });
}

function problem(status: number, more: object = {}, headers: Record<string, string> = {}): Response {
  const body = { type: 'about:blank', title: 'No', detail: 'because', status, instance: 'r1', ...more };
  return Response.json(body, {
    status,
    headers: { 'content-type': 'application/problem+json', 'x-request-id': 'r1', ...headers },
  });
}

async function failureOf(work: Promise<unknown>): Promise<AdminApiError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AdminApiError);
  return error as AdminApiError;
}

describe('call', () => {
  test('sends what the document says, and gives body and ETag', async () => {
    const requests: { readonly line: string; readonly headers: Headers; readonly body: string }[] = [];
    const client = clientOf(async (request) => {
      const { pathname, search } = new URL(request.url);
      requests.push({
        line: `${request.method} ${pathname}${search}`,
        headers: request.headers,
        body: await request.text(),
      });
      return Response.json({ name: 'a' }, { headers: { etag: '"1"' } });
    });
    expect(await client.call('getNode', FOREVER, { path: { name: 'a/b' } })).toEqual({
      body: { name: 'a' },
      etag: '"1"',
    });
    await client.call('putNetConf', FOREVER, { query: { dryRun: true }, body: { netConf: {} }, ifMatch: '"1"' });
    await client.call('explain', FOREVER, { body: { source: 'a', destination: 'b' }, idempotencyKey: 'k' });
    const [get, put, post] = requests;
    expect(requests.map(({ line }) => line)).toEqual([
      'GET /v1/nodes/a%2Fb',
      'PUT /v1/config/net-conf?dryRun=true',
      'POST /v1/explain',
    ]);
    expect(get?.headers.get('authorization')).toBe('Bearer the-token');
    expect(put?.headers.get('if-match')).toBe('"1"');
    expect(put?.headers.get('content-type')).toBe('application/json');
    expect(put?.body).toBe('{"netConf":{}}');
    expect(post?.headers.get('idempotency-key')).toBe('k');
  });

  test('a problem is an error with all that it says', async () => {
    const errors = [{ pointer: '/a', detail: 'is 1' }];
    const client = clientOf(() => problem(429, { errors }, { 'retry-after': '3' }));
    const error = await failureOf(client.call('listNodes', FOREVER));
    expect(error).toMatchObject({ code: 'problem', requestId: 'r1', retryAfterSeconds: 3, isPassing: true });
    expect(error.problem).toMatchObject({ status: 429, title: 'No', detail: 'because', errors });
    expect(error.message).toBe('No: because; /a: is 1');
    const forbidden = clientOf(() => problem(403));
    expect(await failureOf(forbidden.call('listNodes', FOREVER))).toMatchObject({ code: 'problem', isPassing: false });
  });

  test.each<[string, () => Response]>([
    ['no JSON', () => new Response('<html>')],
    ['an error that is no problem', () => new Response('gateway', { status: 502 })],
    ['a problem without its fields', () => problem(400, { title: 1 })],
  ])('%s is broken', async (_name, answer) => {
    expect((await failureOf(clientOf(answer).call('listNodes', FOREVER))).code).toBe('broken');
  });

  test('a redirect is not followed: the token would go with it', async () => {
    let reached = false;
    const other = serve({ port: 0, hostname: '127.0.0.1', fetch: () => ((reached = true), new Response('{}')) });
    servers.push(other);
    const client = clientOf(() => Response.redirect(`http://127.0.0.1:${other.port}/`, 307));
    expect((await failureOf(client.call('listNodes', FOREVER))).code).toBe('unreachable');
    expect(reached).toBe(false);
  });

  test.each<[string, Partial<AdminServer>]>([
    ['of another authority', { ca: createCertificateAuthority({ commonName: 'other' }).certPem }],
    ['for another name', { serverName: 'localhost' }],
  ])('a certificate %s is not trusted, and sees no token', async (_name, options) => {
    let asked = 0;
    const client = clientOf(() => (asked++, Response.json({})), options);
    expect((await failureOf(client.call('listNodes', FOREVER))).code).toBe('untrusted');
    expect(asked).toBe(0);
  });

  test('nobody there', async () => {
    const client = createAdminClient({ url: 'https://127.0.0.1:1', token: () => 't' });
    expect(await failureOf(client.call('listNodes', FOREVER))).toMatchObject({ code: 'unreachable', isPassing: true });
  });

  test.each<[string, () => Response | Promise<Response>]>([
    ['no answer', () => new Promise<Response>(() => undefined)],
    ['half of one', () => new Response(new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from('{')) }))],
  ])('%s ends at the time limit, and with the signal', async (_name, answer) => {
    expect((await failureOf(clientOf(answer, { timeoutMs: 100 }).call('listNodes', FOREVER))).code).toBe('timeout');
    const stop = new AbortController();
    const work = clientOf(answer).call('listNodes', stop.signal);
    stop.abort(new Error('interrupted'));
    await expect(work).rejects.toThrow('interrupted');
  });
});

describe('lists', () => {
  const paged = (pages: Readonly<Record<string, object>>): AdminClient =>
    clientOf((request) => Response.json(pages[new URL(request.url).searchParams.get('cursor') ?? ''] ?? {}));
  const missing = [{ node: 'b', reason: 'down' }];

  test('all pages as one, and each missing part once', async () => {
    const client = paged({
      '': { items: [1, 2], next: 'x', partial: true, missing },
      x: { items: [3], next: 'y', partial: true, missing },
      y: { items: [], partial: false, missing: [] },
    });
    expect(await client.list('listNodes', FOREVER)).toEqual({ items: [1, 2, 3], missing });
  });

  test('pages are asked for as they are taken', async () => {
    const cursors: (string | null)[] = [];
    const client = clientOf((request) => {
      const { searchParams } = new URL(request.url);
      cursors.push(searchParams.get('cursor'));
      expect(searchParams.get('limit')).toBe('2');
      return Response.json({ items: [1], next: `c${cursors.length}`, partial: false, missing: [] });
    });
    for await (const { next } of client.pages('listFlows', FOREVER, { query: { limit: 2 } })) if (next === 'c2') break;
    expect(cursors).toEqual([null, 'c1']);
  });

  test.each<[string, Readonly<Record<string, object>>]>([
    ['no page', { '': { items: 1 } }],
    ['a circle', { '': { items: [], next: 'x', missing: [] }, x: { items: [], next: 'x', missing: [] } }],
  ])('%s is broken', async (_name, pages) => {
    expect((await failureOf(paged(pages).list('listNodes', FOREVER))).code).toBe('broken');
  });
});

describe('streams', () => {
  const events = (text: string): Response => new Response(text, { headers: { 'content-type': 'text/event-stream' } });

  test('goes on behind the last event after the connection ended', async () => {
    const asked: (string | null)[] = [];
    const answers = [
      () => events('retry: 1\n\nid: 1\nevent: flow\ndata: {"n":1}\n\nid: 2\nevent: resync\ndata: {}\n\n'),
      () => problem(503),
      () => events('id: 3\nevent: flow\ndata: {"n":3}\n\n'),
    ];
    const client = clientOf((request) => {
      asked.push(request.headers.get('last-event-id'));
      expect(request.headers.get('accept')).toBe('text/event-stream');
      return answers[asked.length - 1]?.() ?? problem(403);
    });
    const seen: unknown[] = [];
    const work = async (): Promise<void> => {
      for await (const event of client.stream('streamFlows', FOREVER, {})) seen.push(event);
    };
    expect((await failureOf(work())).problem?.status).toBe(403);
    expect(seen).toEqual([{ type: 'item', item: { n: 1 } }, { type: 'resync' }, { type: 'item', item: { n: 3 } }]);
    expect(asked).toEqual([null, '2', '2', '3']);
  });

  test('ends with the signal, also while nothing comes', async () => {
    const client = clientOf(
      () => new Response(new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from('data: 1\n\n')) })),
    );
    const stop = new AbortController();
    for await (const event of client.stream('streamFlows', stop.signal, {})) {
      expect(event).toEqual({ type: 'item', item: 1 });
      stop.abort();
    }
  });

  test('an event that is no JSON', async () => {
    const client = clientOf(() => events('data: {\n\n'));
    expect((await failureOf(client.stream('streamFlows', FOREVER, {}).next())).code).toBe('broken');
  });
});
