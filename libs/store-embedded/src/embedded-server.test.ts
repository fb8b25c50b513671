import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import type { AccessRequest } from './authentication.ts';
import { createEmbeddedServer, type EmbeddedServer, type EmbeddedServerOptions } from './embedded-server.ts';
import { isJson, type Json } from './json.ts';

const TOKEN = 'a-token';
const servers: EmbeddedServer[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function start(options: Partial<EmbeddedServerOptions> = {}): EmbeddedServer {
  const server = createEmbeddedServer({ tokens: [{ token: TOKEN, user: 'alice', groups: ['admins'] }], ...options });
  servers.push(server);
  return server;
}

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), `canal-embedded-${String(process.pid)}-`));
  directories.push(made);
  return made;
}

interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly text?: string;
  readonly type?: string;
  readonly token?: string;
}

async function call(server: EmbeddedServer, path: string, options: Call = {}): Promise<{ status: number; body: Json }> {
  const { method = 'GET', body, type = 'application/json', token = TOKEN } = options;
  const text = options.text ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await server.handle(
    new Request(`http://server${path}`, {
      method,
      headers: {
        ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
        ...(text === undefined ? {} : { 'Content-Type': type }),
      },
      ...(text === undefined ? {} : { body: text }),
    }),
  );
  const answer: unknown = await response.json();
  return { status: response.status, body: isJson(answer) ? answer : {} };
}

const NODES = '/api/v1/nodes';
const POLICIES = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';

describe('who may come in', () => {
  test.each([
    { what: 'no token', token: '' },
    { what: 'a wrong token', token: 'b-token' },
    { what: 'a token that begins right', token: `${TOKEN}x` },
  ])('$what is 401', async ({ token }) => {
    const { status, body } = await call(start(), NODES, { token });
    expect([status, body['kind'], body['reason']]).toEqual([401, 'Status', 'Unauthorized']);
  });

  test('health needs no token, discovery does', async () => {
    const server = start();
    expect((await server.handle(new Request('http://server/readyz'))).status).toBe(200);
    expect((await call(server, '/apis', { token: '' })).status).toBe(401);
  });

  test('an authorizer is asked in the words of Kubernetes, and its refusal is 403', async () => {
    const asked: AccessRequest[] = [];
    const server = start({
      authorize: (request) => {
        asked.push(request);
        return request.verb === 'delete' ? 'not you' : undefined;
      },
    });
    await call(server, `${POLICIES}?watch=false`);
    const refused = await call(server, '/api/v1/namespaces/default/configmaps/a/status', { method: 'DELETE' });
    expect(asked).toMatchObject([
      {
        user: { name: 'alice', groups: ['admins', 'system:authenticated'] },
        verb: 'list',
        group: 'networking.k8s.io',
        resource: 'networkpolicies',
        namespace: 'default',
      },
      { verb: 'delete', group: '', resource: 'configmaps', subresource: 'status', name: 'a' },
    ]);
    expect([refused.status, refused.body['reason']]).toEqual([403, 'Forbidden']);
    expect(String(refused.body['message'])).toContain('not you');
  });
});

describe('bodies', () => {
  test.each(['application/apply-patch+yaml', 'application/apply-patch+cbor', ''])(
    'a patch of type "%s" is 415 and says what works',
    async (type) => {
      const server = start();
      await call(server, NODES, { method: 'POST', body: { metadata: { name: 'a' } } });
      const { status, body } = await call(server, `${NODES}/a`, { method: 'PATCH', text: '{}', type });
      expect([status, body['reason']]).toEqual([415, 'UnsupportedMediaType']);
      expect(String(body['message'])).toContain('application/strategic-merge-patch+json');
    },
  );

  test.each(['application/vnd.kubernetes.protobuf', 'application/yaml'])('a body of type %s is 415', async (type) => {
    const { status } = await call(start(), NODES, { method: 'POST', text: 'x', type });
    expect(status).toBe(415);
  });

  test.each([
    { what: 'no JSON', text: '{' },
    { what: 'a list', text: '[]' },
    { what: 'nothing', text: undefined },
    { what: 'nested too deep', text: `${'{"a":'.repeat(100)}1${'}'.repeat(100)}` },
    {
      what: 'a member twice, one of which would count',
      text: '{"metadata":{"name":"a"},"spec":{"podCIDR":"10.0.0.0/24","podCIDR":""}}',
    },
  ])('$what is 400', async ({ text }) => {
    const { status, body } = await call(start(), NODES, { method: 'POST', ...(text === undefined ? {} : { text }) });
    expect([status, body['kind']]).toEqual([400, 'Status']);
  });

  test('above 3 MiB is 413, declared or not', async () => {
    const server = start();
    const text = JSON.stringify({ metadata: { name: 'a', annotations: { a: 'x'.repeat(3 * 1024 * 1024) } } });
    expect((await call(server, NODES, { method: 'POST', text })).status).toBe(413);
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.enqueue(new Uint8Array(1024 * 1024));
      },
    });
    const response = await server.handle(
      new Request('http://server/api/v1/nodes', {
        method: 'POST',
        body: stream,
        headers: { Authorization: `Bearer ${TOKEN}` },
      }),
    );
    expect(response.status).toBe(413);
  });

  test.each(['', '?fieldValidation=Ignore', '?fieldValidation=Warn', '?fieldValidation=Strict'])(
    'unknown fields are refused whatever is asked for (%s): a misspelt selector must not become everyone',
    async (query) => {
      const policy = { metadata: { name: 'p' }, spec: { podSelectors: { matchLabels: { a: 'b' } } } };
      const { status, body } = await call(start(), `${POLICIES}${query}`, { method: 'POST', body: policy });
      expect(status).toBe(400);
      expect(String(body['message'])).toContain('unknown field "spec.podSelectors"');
    },
  );
});

describe('methods and paths that are not served', () => {
  test.each([
    { method: 'POST', path: `${NODES}/a`, status: 405 },
    { method: 'PUT', path: NODES, status: 405 },
    { method: 'POST', path: '/api/v1/pods', status: 405 },
    { method: 'POST', path: '/apis', status: 405 },
    { method: 'GET', path: '/api/v1/namespaces/default/nodes', status: 404 },
    { method: 'GET', path: '/api/v1/pods/a', status: 404 },
    { method: 'GET', path: `${NODES}/a/proxy`, status: 404 },
    { method: 'GET', path: '/api/v1/namespaces/default/configmaps/a/status', status: 404 },
    { method: 'GET', path: '/api/v2/nodes', status: 404 },
    { method: 'GET', path: '/apis/none.example/v1', status: 404 },
    { method: 'GET', path: '/%zz', status: 404 },
    { method: 'GET', path: '/', status: 404 },
  ])('$method $path is $status', async ({ method, path, status }) => {
    const answer = await call(start(), path, { method });
    expect([answer.status, answer.body['kind']]).toEqual([status, 'Status']);
  });
});

describe('listeners', () => {
  test('show one state, over TCP and a unix socket', async () => {
    const server = start();
    const path = join(directory(), 'api.sock');
    const tcp = server.listen({ hostname: '127.0.0.1' });
    server.listen({ unix: path });
    const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
    const body = JSON.stringify({ metadata: { name: 'a' } });
    await fetch('http://localhost/api/v1/nodes', { unix: path, method: 'POST', headers, body });
    const seen = await fetch(`${tcp.url}/api/v1/nodes/a`, { headers });
    expect(seen.status).toBe(200);
    await tcp.close();
    await expect(fetch(`${tcp.url}/api/v1/nodes/a`, { headers })).rejects.toThrow();
    expect((await fetch('http://localhost/api/v1/nodes/a', { unix: path, headers })).status).toBe(200);
  });

  test('are started where the caller is: inside its callback', () => {
    const server = start();
    const inside = <T>(work: () => T): T => work();
    expect(inside(() => server.listen({ hostname: '127.0.0.1' })).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  test('end their watches when the server closes', async () => {
    const server = start();
    const { url } = server.listen({ hostname: '127.0.0.1' });
    const response = await fetch(`${url}/api/v1/nodes?watch=true`, { headers: { Authorization: `Bearer ${TOKEN}` } });
    const rest = response.text();
    await server.close();
    expect((await rest).trim()).toBe('');
  });

  test('tell a watcher of a change within milliseconds', async () => {
    const server = start();
    const { url } = server.listen({ hostname: '127.0.0.1' });
    const response = await fetch(`${url}/api/v1/nodes?watch=true`, { headers: { Authorization: `Bearer ${TOKEN}` } });
    const reader = response.body?.getReader();
    await reader?.read();
    const timesMs: number[] = [];
    for (let round = 0; round < 50; round += 1) {
      await call(server, NODES, { method: 'POST', body: { metadata: { name: `n${String(round)}` } } });
      const writtenMs = performance.now();
      await reader?.read();
      timesMs.push(performance.now() - writtenMs);
    }
    await reader?.cancel();
    timesMs.sort((a, b) => a - b);
    // Some 0.1, beside other work too; a poll or a timer of TCP would hold each of them back.
    expect(timesMs[25]).toBeLessThan(5);
  });
});

describe('a restart over the same file', () => {
  const definition = {
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Cluster',
      names: { plural: 'things', kind: 'Thing' },
      versions: [version('v1', true), version('v2', false)],
    },
  };

  test('keeps objects, versions and custom kinds', async () => {
    const dbPath = join(directory(), 'store.db');
    const first = start({ dbPath });
    await call(first, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { method: 'POST', body: definition });
    await call(first, '/apis/example.com/v2/things', {
      method: 'POST',
      body: { metadata: { name: 'a' }, spec: { x: 1 } },
    });
    const before = first.version();
    await first.close();
    const second = start({ dbPath });
    expect(second.version(), 'the default namespaces are not made again').toBe(before);
    const v1 = await call(second, '/apis/example.com/v1/things/a');
    const v2 = await call(second, '/apis/example.com/v2/things');
    expect(v1.body).toMatchObject({ apiVersion: 'example.com/v1', spec: { x: 1 } });
    expect(v2.body).toMatchObject({ apiVersion: 'example.com/v2', items: [{ apiVersion: 'example.com/v2' }] });
  });

  test('a kind of the server cannot be taken over by a definition', async () => {
    const server = start();
    const own = structuredClone(definition);
    const annotations = { 'api-approved.kubernetes.io': 'unapproved' };
    const taken = {
      metadata: { name: 'networkpolicies.networking.k8s.io', annotations },
      spec: { ...own.spec, group: 'networking.k8s.io', names: { plural: 'networkpolicies', kind: 'NetworkPolicy' } },
    };
    await call(server, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { method: 'POST', body: taken });
    const policy = { metadata: { name: 'p' }, spec: { podSelectors: {} } };
    expect((await call(server, POLICIES, { method: 'POST', body: policy })).status).toBe(400);
  });

  function version(name: string, storage: boolean): Json {
    const spec = { type: 'object', properties: { x: { type: 'integer' } } };
    return { name, served: true, storage, schema: { openAPIV3Schema: { type: 'object', properties: { spec } } } };
  }
});
