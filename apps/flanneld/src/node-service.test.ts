/** What the node tells of itself, over its socket and over TLS, as the Node object says how. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NetworkQuestion, POLICY_AUTHORITY_FILE } from '@canal/agent-protocol';
import { NODE_API_AUTHORITY } from '@canal/api-schema';
import { createCertificateAuthority } from '@canal/certificate';
import { createNodeApi, type NodeApi, NodeApiError, tlsTransport, unixTransport } from '@canal/node-api';
import { NODES } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addNodes, createTestCluster, startReady, type TestCluster } from './testing/test-cluster.ts';

let directory: string;
let port: number;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'canal-service-'));
  port = await freePort();
});
afterEach(() => rmSync(directory, { recursive: true }));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const ask = (api: NodeApi, op: NetworkQuestion['op']) => api.ask('a', 'flanneld', { op }, new AbortController().signal);

async function authorityOf(cluster: TestCluster): Promise<string> {
  return await waitFor(
    'the authority',
    async () => (await cluster.node('a')).metadata.annotations?.[NODE_API_AUTHORITY],
  );
}

function overTls(authority: string, token: string): NodeApi {
  const addressOf = () => ({ address: '127.0.0.1', authority });
  const ports = { flanneld: port, 'policy-agent': port };
  return createNodeApi(tlsTransport({ addressOf, ports, token: () => Promise.resolve(token) }));
}

async function failure(work: Promise<unknown>): Promise<NodeApiError> {
  const error: unknown = await work.then(
    () => new Error('answered'),
    (reason: unknown) => reason,
  );
  if (error instanceof NodeApiError) return error;
  throw error;
}

const overApi = (user = 'admin-api') => [`--node-api-port=${port}`, `--node-api-user=${user}`];

test('the same is told over the socket and over TLS: status, peers, addresses', async () => {
  const path = join(directory, 'run', 'flanneld.sock');
  await using cluster = createTestCluster([`--node-socket=${path}`, ...overApi()]);
  await addNodes(cluster.store);
  mkdirSync(join(cluster.config.cniDataDir, 'canal'), { recursive: true });
  writeFileSync(join(cluster.config.cniDataDir, 'canal', '10.244.1.7'), 'c1\r\neth0');
  writeFileSync(join(cluster.config.cniDataDir, 'canal', '10.244.1.8'), '');
  const { log } = await startReady(cluster);
  const apis = [createNodeApi(unixTransport(() => path)), overTls(await authorityOf(cluster), 'of-admin-api')];
  for (const api of apis) {
    expect(await ask(api, 'network-status')).toEqual({
      version: 'test',
      node: 'a',
      ready: true,
      notes: [],
      lastSync: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      backend: 'vxlan',
      podMtuBytes: 1450,
      addresses: ['10.0.0.1'],
      leases: [{ family: 4, subnet: '10.244.1.0/24' }],
    });
    await waitFor('a ping', async () => JSON.stringify(await ask(api, 'peers')).includes('reachable'), 3_000);
    expect(await ask(api, 'peers')).toEqual([
      { node: 'b', address: '10.0.0.2', via: 'vxlan', reachable: true, roundTripSeconds: 0.001 },
    ]);
    expect(await ask(api, 'addresses')).toEqual({
      pools: [{ subnet: '10.244.1.0/24', capacity: '253', inUse: 2, leaked: 0 }],
      addresses: [
        { address: '10.244.1.7', state: 'in-use', containerId: 'c1', interface: 'eth0' },
        // Cut off, or of somebody else: nobody knows whose it is.
        { address: '10.244.1.8', state: 'in-use' },
      ],
    });
  }
  expect(log.messages('info')).toContain('answering the admin API');
});

test('a token is good for the user that is named, and made for this; others are refused and nowhere to be read', async () => {
  await using cluster = createTestCluster(overApi());
  await addNodes(cluster.store);
  const { log, metrics } = await startReady(cluster);
  const authority = await authorityOf(cluster);
  const tokens = ['of-somebody', 'for-others', 'test', 'canary-7fe1'];
  for (const token of tokens) {
    const { code, message } = await failure(ask(overTls(authority, token), 'peers'));
    expect(code).toBe('refused');
    expect(tokens.some((each) => message.includes(each) && each !== 'test')).toBe(false);
  }
  expect(await ask(overTls(authority, 'of-admin-api'), 'peers')).toHaveLength(1);
  const said = JSON.stringify(log.records) + (await metrics());
  expect(['of-somebody', 'for-others', 'of-admin-api', 'canary-7fe1'].filter((token) => said.includes(token))).toEqual(
    [],
  );
  expect(await metrics()).toContain('canal_node_questions_total{op="none",outcome="unauthorized"} 4');
});

test('an annotation that others remove or change is put back, and another agent’s authority is trusted no more', async () => {
  await using cluster = createTestCluster(overApi());
  await addNodes(cluster.store);
  const first = cluster.start();
  const before = await authorityOf(cluster);
  for (const value of [null, createCertificateAuthority().certPem]) {
    await cluster.store.mergePatch(NODES, 'a', { metadata: { annotations: { [NODE_API_AUTHORITY]: value } } });
    await waitFor('its return', async () => (await authorityOf(cluster)) === before);
  }
  await first.stop();
  await startReady(cluster);
  const after = await waitFor('its own', async () => {
    const now = await authorityOf(cluster);
    return now === before ? undefined : now;
  });
  expect((await failure(ask(overTls(before, 'of-admin-api'), 'peers'))).message).toContain('is not the node');
  expect(await ask(overTls(after, 'of-admin-api'), 'peers')).toHaveLength(1);
});

test('the policy agent’s authority is published beside its own, and follows its file', async () => {
  const file = join(directory, POLICY_AUTHORITY_FILE);
  await using cluster = createTestCluster([...overApi(), `--policy-socket=${directory}/policy.sock`]);
  await addNodes(cluster.store);
  const { log } = cluster.start();
  const own = await authorityOf(cluster);
  for (const { certPem } of [createCertificateAuthority(), createCertificateAuthority()]) {
    writeFileSync(file, certPem);
    await waitFor('both', async () => (await authorityOf(cluster)) === own + certPem);
  }
  const { keyPem } = createCertificateAuthority();
  writeFileSync(file, keyPem);
  await waitFor('its own alone', async () => (await authorityOf(cluster)) === own);
  expect(JSON.stringify(log.records)).not.toContain(keyPem.slice(30, 60));
});

test('without the option there is no port, and what an earlier configuration published is withdrawn', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const stale = { metadata: { annotations: { [NODE_API_AUTHORITY]: createCertificateAuthority().certPem } } };
  await cluster.store.mergePatch(NODES, 'a', stale);
  await startReady(cluster);
  await waitFor(
    'its end',
    async () => (await cluster.node('a')).metadata.annotations?.[NODE_API_AUTHORITY] === undefined,
  );
  expect((await failure(ask(overTls(createCertificateAuthority().certPem, 'x'), 'peers'))).code).toBe('unreachable');
});

test('a node whose network cannot be decided can be asked why', async () => {
  await using cluster = createTestCluster(overApi());
  await cluster.store.create(NODES, { metadata: { name: 'a' }, spec: {} });
  cluster.start();
  const api = overTls(await authorityOf(cluster), 'of-admin-api');
  await waitFor('the reason', async () => JSON.stringify(await ask(api, 'network-status')).includes('podCIDR'));
  expect(await ask(api, 'network-status')).toMatchObject({ ready: false, addresses: [], leases: [] });
  expect(await ask(api, 'addresses')).toEqual({ pools: [], addresses: [] });
});
