import { inspect } from 'node:util';

import { NODES, PODS, StoreError } from '@canal/store-port';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { fixedCredentials, type KubeConnection } from './connection.ts';
import { KubeConfigError } from './connection-error.ts';
import { resourcePath, send, withQuery } from './request.ts';
import { Secret } from './secret.ts';

const CANARY = 'c4n4ry-s3cr3t';
let answer: (request: Request) => Response | Promise<Response> = () => new Response();
let server: Bun.Server<undefined>;
let connection: KubeConnection;

beforeAll(() => {
  server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: (request) => answer(request) });
  connection = {
    baseUrl: `http://127.0.0.1:${String(server.port)}`,
    credentials: fixedCredentials({ token: new Secret(CANARY) }),
  };
});
afterAll(() => server.stop(true));

async function failure(to: KubeConnection = connection, signal = AbortSignal.timeout(5_000)): Promise<StoreError> {
  const error: unknown = await send(to, { method: 'GET', path: '/api/v1/nodes/a' }, signal).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`expected a StoreError, got ${String(error)}`);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(CANARY);
  return error;
}

describe('paths', () => {
  test.each([
    { path: resourcePath(NODES), is: '/api/v1/nodes' },
    { path: resourcePath(NODES, 'ignored', 'a', 'status'), is: '/api/v1/nodes/a/status' },
    { path: resourcePath(PODS), is: '/api/v1/pods' },
    { path: resourcePath(PODS, 'n', 'p'), is: '/api/v1/namespaces/n/pods/p' },
    { path: resourcePath(PODS, '../x', 'a/b'), is: '/api/v1/namespaces/..%2Fx/pods/a%2Fb' },
    { path: resourcePath({ ...PODS, group: 'g.io', version: 'v2' }, 'n'), is: '/apis/g.io/v2/namespaces/n/pods' },
    { path: withQuery('/x', { a: '1', b: undefined, c: 'x=y,z' }), is: '/x?a=1&c=x%3Dy%2Cz' },
  ])('$is', ({ path, is }) => {
    expect(path).toBe(is);
  });
});

describe('answers become errors with a stable code', () => {
  const cases: { code: string; status: number; reason: string; details?: object }[] = [
    { status: 400, reason: 'BadRequest', code: 'invalid' },
    { status: 403, reason: 'Forbidden', code: 'forbidden' },
    { status: 404, reason: 'NotFound', code: 'not-found' },
    { status: 405, reason: 'MethodNotAllowed', code: 'unsupported' },
    { status: 409, reason: 'AlreadyExists', code: 'already-exists' },
    { status: 409, reason: 'Conflict', code: 'conflict' },
    { status: 410, reason: 'Expired', code: 'expired' },
    { status: 415, reason: 'UnsupportedMediaType', code: 'unsupported' },
    { status: 422, reason: 'Invalid', code: 'invalid' },
    { status: 429, reason: 'TooManyRequests', code: 'unavailable' },
    { status: 500, reason: 'InternalError', code: 'unavailable' },
    { status: 504, reason: 'Timeout', code: 'unavailable' },
    {
      status: 504,
      reason: 'Timeout',
      code: 'version-ahead',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
    },
  ];
  test.each(cases)('$status $reason -> $code', async ({ code, status, reason, details = {} }) => {
    answer = () =>
      Response.json({ kind: 'Status', code: status, reason, message: `says ${reason}`, details }, { status });
    const error = await failure();
    expect(error).toMatchObject({ code, status, reason });
    expect(error.message).toContain(`GET /api/v1/nodes/a: ${String(status)} says ${reason}`);
  });

  test('an answer that is no Status is told by its code', async () => {
    answer = () => new Response('<html>bad gateway</html>', { status: 502 });
    expect(await failure()).toMatchObject({ code: 'unavailable', status: 502 });
  });

  test('Retry-After is passed on', async () => {
    answer = () => new Response('', { status: 429, headers: { 'Retry-After': '7' } });
    expect((await failure()).retryAfterMs).toBe(7_000);
  });

  test('a refused connection, a redirect and missing credentials', async () => {
    const nobody = { code: 'unavailable', unreached: true };
    expect(await failure({ ...connection, baseUrl: 'http://127.0.0.1:1' })).toMatchObject(nobody);
    expect(await failure({ ...connection, baseUrl: 'https://127.0.0.1:1' })).toMatchObject(nobody);
    expect(await failure({ ...connection, unixSocket: '/nonexistent/socket' })).toMatchObject(nobody);
    answer = () => new Response('', { status: 302, headers: { Location: 'http://127.0.0.2/' } });
    expect((await failure()).code).toBe('unavailable');
    const broken = {
      current: () => Promise.reject(new KubeConfigError('unreadable', 'token cannot be read')),
      invalidate: () => undefined,
    };
    const error = await failure({ ...connection, credentials: broken });
    expect([error.code, error.message.includes('token cannot be read')]).toEqual(['unauthorized', true]);
  });
});

test('a connection that is cut before the answer has reached the server', async () => {
  using cutter = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { open: (socket) => void socket.end(), data: () => undefined },
  });
  const error = await failure({ ...connection, baseUrl: `http://127.0.0.1:${String(cutter.port)}` });
  expect(error).toMatchObject({ code: 'unavailable', unreached: false });
});

describe('credentials', () => {
  test('a refused token is made anew once', async () => {
    let token = 'old';
    const seen: (string | null)[] = [];
    answer = (request) => {
      seen.push(request.headers.get('Authorization'));
      return new Response('', { status: seen.at(-1) === 'Bearer new' ? 200 : 401 });
    };
    const credentials = {
      current: () => Promise.resolve({ token: new Secret(token) }),
      invalidate: () => {
        token = 'new';
      },
    };
    const response = await send(
      { ...connection, credentials },
      { method: 'GET', path: '/' },
      AbortSignal.timeout(5_000),
    );
    expect([response.status, seen]).toEqual([200, ['Bearer old', 'Bearer new']]);
  });

  test('a token that stays refused is an error', async () => {
    answer = () => new Response('', { status: 401 });
    expect((await failure()).code).toBe('unauthorized');
  });

  test('user name and password go as basic authentication', async () => {
    let header: string | null = null;
    answer = (request) => {
      header = request.headers.get('Authorization');
      return new Response('');
    };
    const basic = { username: 'u', password: new Secret('p') };
    await send(
      { ...connection, credentials: fixedCredentials({ basic }) },
      { method: 'GET', path: '/' },
      AbortSignal.timeout(5_000),
    );
    expect(header).toBe(`Basic ${btoa('u:p')}`);
  });
});

test('an aborted request ends at once', async () => {
  answer = () => new Promise<Response>(() => undefined);
  const startedMs = performance.now();
  expect((await failure(connection, AbortSignal.timeout(50))).code).toBe('unavailable');
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
