import { createCertificateAuthority } from '@canal/certificate';
import { afterEach, expect, test } from 'vitest';
import { type NodeApi, NodeApiError } from './node-api.ts';
import { createNodeCertificate } from './node-certificate.ts';
import { createNodeApi } from './node-client.ts';
import type { RequestHandler } from './request-handler.ts';
import { startTlsNode, type TlsNode, type TlsNodeOptions } from './testing/tls-node.ts';
import { tlsTransport } from './tls-transport.ts';
import type { NodeRequest } from '@canal/agent-protocol';

const nodes: TlsNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const seen: string[] = [];
const echo: RequestHandler<NodeRequest> = (request, connection) => {
  seen.push(request.op);
  connection.send({ ok: true, value: request.op });
  return Promise.resolve();
};

async function start(change: Partial<TlsNodeOptions> = {}): Promise<TlsNode> {
  const node = await startTlsNode({ name: 'node-a', handle: echo, ...change });
  nodes.push(node);
  seen.length = 0;
  return node;
}

function apiTo(node: TlsNode, authority = node.authority, token = 'good'): NodeApi {
  return createNodeApi(
    tlsTransport({
      addressOf: () => ({ address: '127.0.0.1', authority }),
      token: () => Promise.resolve(token),
      ports: { flanneld: node.port, 'policy-agent': node.port },
    }),
  );
}

async function failure(api: NodeApi, name = 'node-a'): Promise<NodeApiError> {
  const error: unknown = await api.ask(name, 'flanneld', { op: 'peers' }, new AbortController().signal).then(
    (value) => new Error(`answered: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof NodeApiError) return error;
  throw error;
}

const ask = (api: NodeApi) => api.ask('node-a', 'flanneld', { op: 'peers' }, new AbortController().signal);

test('a certificate that the node’s authority has signed for the node, alone or beside the other agent’s', async () => {
  const node = await start();
  expect(await ask(apiTo(node))).toBe('peers');
  const other = createCertificateAuthority({ commonName: 'node' }).certPem;
  expect(await ask(apiTo(node, other + node.authority))).toBe('peers');
  expect(await ask(apiTo(node, node.authority + other))).toBe('peers');
});

test.each([
  ['a short name', 'a'],
  ['a name that looks like an address', '10.1.2.3'],
  ['the longest name', `${'n'.repeat(60)}.${'n'.repeat(60)}.${'n'.repeat(60)}.${'n'.repeat(60)}.nnnnnnnnn`],
])('a node of %s', async (_name, name) => {
  const { authority, ...pair } = createNodeCertificate(name);
  const node = await start({ authority: { certPem: authority, keyPem: '', issueServer: () => pair } });
  expect(await apiTo(node).ask(name, 'flanneld', { op: 'peers' }, new AbortController().signal)).toBe('peers');
  expect((await failure(apiTo(node), 'b')).message).toContain('is not the node');
  expect((await failure(apiTo(node), '10.1.2.4')).message).toContain('is not the node');
});

test('the authority of another node, with the same name on it, is refused before anything is asked', async () => {
  const node = await start();
  const error = await failure(apiTo(node, createCertificateAuthority({ commonName: 'node' }).certPem));
  expect(error.code).toBe('unreachable');
  expect(error.message).toContain('is not the node');
  expect([seen, node.outcomes]).toEqual([[], []]);
});

test('the certificate of another node of the same authority is refused', async () => {
  const node = await start();
  const api = apiTo(node);
  expect(await ask(api)).toBe('peers');
  const error = await failure(api, 'node-b');
  expect(error.code).toBe('unreachable');
  expect(error.message).toContain('is not the node');
  expect(node.outcomes).toEqual(['peers ok']);
});

test('a certificate that is over is refused', async () => {
  const authority = createCertificateAuthority({ now: new Date(Date.now() - 10 * 86_400_000) });
  const node = await start({ authority, validDays: 1 });
  const error = await failure(apiTo(node));
  expect(error.code).toBe('unreachable');
  expect(error.message).toContain('is not the node');
});

test('an authority that is no PEM lets nobody be reached', async () => {
  const node = await start();
  for (const authority of ['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    expect((await failure(apiTo(node, authority))).code).toBe('unreachable');
  }
  expect(seen).toEqual([]);
});

test('who is not let in is refused, and the token is nowhere', async () => {
  const canary = 'canary-7fe1';
  const node = await start();
  const error = await failure(apiTo(node, node.authority, canary));
  expect(error.code).toBe('refused');
  const broken = await start({ authenticate: () => Promise.resolve('unavailable') });
  const unavailable = await failure(apiTo(broken, broken.authority, canary));
  expect(unavailable.code).toBe('unreachable');
  expect(unavailable.message).toContain('cannot be reviewed');
  const failing = await start({ authenticate: () => Promise.reject(new Error('broken')) });
  const faulty = await failure(apiTo(failing, failing.authority, canary));
  expect(faulty.message).toContain('cannot be reviewed');
  const said = [error, unavailable, faulty].flatMap((each) => [each.message, String(each.stack), JSON.stringify(each)]);
  const logs = [node, broken, failing].map(({ log }) => JSON.stringify(log.records));
  expect([...said, ...logs].filter((text) => text.includes(canary))).toEqual([]);
});

test('a node that has published no authority is not spoken to', async () => {
  const api = createNodeApi(tlsTransport({ addressOf: () => undefined, token: () => Promise.resolve('good') }));
  expect((await failure(api)).message).toContain('has not published');
});
