import {
  type ApiRequestInit,
  createFaultyProxy,
  describeKubeApiContract,
  describeStoreContract,
} from '@canal/store-contract';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { mergeKeys } from './merge-keys.ts';
import { type RealApiServer, startRealApiServer } from './real-api-server.ts';
import { REAL_CLOCK } from './real-clock.ts';

/** The expectations that the embedded server is held to, asked of a kube-apiserver with its etcd. */

let running: RealApiServer | undefined;

function started(): RealApiServer {
  if (running === undefined) throw new Error('the API server has not been started');
  return running;
}

beforeAll(async () => {
  running = await startRealApiServer();
  await running.startNamespaceController();
}, 90_000);
afterAll(async () => {
  await running?.close();
});

describeKubeApiContract({
  name: 'kube-apiserver',
  start: () => {
    const server = started();
    return Promise.resolve({
      fetch: (path, init = {}) => server.request(path, init),
      fetchAnonymous: (path: string, init: ApiRequestInit = {}) =>
        fetch(`${server.url}${path}`, { ...init, tls: { ca: server.ca } }),
      compact: () => forget(server),
      emptiesNamespaces: true,
      stop: () => Promise.resolve(),
    });
  },
});

test('the embedded server merges the lists that the OpenAPI document of Kubernetes names', async () => {
  const [real, embedded] = await Promise.all([mergeKeys((path) => started().request(path)), embeddedMergeKeys()]);
  expect(real.size).toBeGreaterThan(30);
  expect(embedded).toEqual(real);
});

describeStoreContract({
  name: 'store-kube and kube-apiserver, through a faulty network',
  start: async () => {
    const server = started();
    const proxy = await createFaultyProxy(server.port);
    const store = createKubeStore(
      {
        connection: {
          baseUrl: `https://127.0.0.1:${String(proxy.port)}`,
          tls: { ca: server.ca },
          credentials: fixedCredentials({ token: new Secret(server.adminToken) }),
        },
        clock: REAL_CLOCK,
      },
      { requestTimeoutMs: 2_000, reflector: { idleTimeoutMs: 1_500, backoff: { baseMs: 250, maxMs: 2_000 } } },
    );
    return {
      store,
      cut: () => proxy.cut(),
      silence: (on) => proxy.silence(on),
      compact: () => forget(server),
      stop: () => proxy.close(),
    };
  },
});

/** The API server serves watches and lists from a cache of what it saw; only a restart drops that too. */
async function forget(server: RealApiServer): Promise<void> {
  await server.compactEtcd();
  await server.killApiServer();
  await server.startApiServer();
}

async function embeddedMergeKeys(): Promise<ReadonlyMap<string, string>> {
  const server = createEmbeddedServer({ tokens: [{ token: 'keys', user: 'keys' }] });
  const headers = { Authorization: 'Bearer keys' };
  const keys = await mergeKeys((path) => server.handle(new Request(`http://server${path}`, { headers })));
  await server.close();
  return keys;
}
