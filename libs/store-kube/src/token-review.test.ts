import { createEmbeddedServer, type EmbeddedServer } from '@canal/store-embedded';
import { StoreError } from '@canal/store-port';
import { afterEach, expect, test } from 'vitest';

import { fixedCredentials, type KubeConnection } from './connection.ts';
import { Secret } from './secret.ts';
import { reviewToken } from './token-review.ts';

const AUDIENCE = 'canal-node-api';
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function connect(baseUrl: string, token: string): KubeConnection {
  return { baseUrl, credentials: fixedCredentials({ token: new Secret(token) }) };
}

function startServer(authorize?: Parameters<typeof createEmbeddedServer>[0]['authorize']): {
  server: EmbeddedServer;
  url: string;
} {
  const server = createEmbeddedServer({
    tokens: [
      { token: 'agent', user: 'system:serviceaccount:canal-system:canal-node' },
      { token: 'admin-api', user: 'admin', audiences: [AUDIENCE, 'more'] },
      { token: 'of-another', user: 'admin', audiences: ['vault'] },
    ],
    ...(authorize && { authorize }),
  });
  closers.push(() => server.close());
  return { server, url: server.listen({ hostname: '127.0.0.1' }).url };
}

test.each([
  { token: 'admin-api', user: 'admin' },
  { token: 'of-another', user: undefined },
  { token: 'agent', user: undefined },
  { token: 'nobody', user: undefined },
])('the token $token stands for $user', async ({ token, user }) => {
  const connection = connect(startServer().url, 'agent');
  expect(await reviewToken(connection, new Secret(token), AUDIENCE, AbortSignal.timeout(5_000))).toBe(user);
});

test.each([
  { name: 'who asks is not known', token: 'nobody', authorize: undefined },
  { name: 'who asks may not', token: 'agent', authorize: () => 'no' },
])('$name: it cannot be told, and the error holds no token', async ({ token, authorize }) => {
  const connection = connect(startServer(authorize).url, token);
  const canary = 'canary-7fe1';
  const error: unknown = await reviewToken(connection, new Secret(canary), AUDIENCE, AbortSignal.timeout(5_000)).then(
    () => 'told',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(canary);
});

test.each<[string, object]>([
  ['an API server without audiences', { authenticated: true, user: { username: 'admin' } }],
  ['another audience', { authenticated: true, user: { username: 'admin' }, audiences: ['vault'] }],
  ['not authenticated', { user: { username: 'admin' }, audiences: [AUDIENCE] }],
  ['a text for true', { authenticated: 'true', user: { username: 'admin' }, audiences: [AUDIENCE] }],
  ['no name', { authenticated: true, user: {}, audiences: [AUDIENCE] }],
])('%s lets nobody in', async (_name, status) => {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => Response.json({ status }) });
  closers.push(() => server.stop(true));
  const connection = connect(`http://127.0.0.1:${String(server.port)}`, 'agent');
  expect(await reviewToken(connection, new Secret('x'), AUDIENCE, AbortSignal.timeout(5_000))).toBeUndefined();
});
