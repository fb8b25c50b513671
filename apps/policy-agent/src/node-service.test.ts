/** What the agent tells the admin API over TLS. The socket's part is in run-agent.test.ts. */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { type AgentRequest, type NodeRequest, POLICY_AUTHORITY_FILE } from '@canal/agent-protocol';
import { createNodeApi, type NodeApi, NodeApiError, tlsTransport } from '@canal/node-api';
import { parseIp, unwrap } from 'net-types';
import { waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createTestCluster, NODE, type TestCluster } from './testing/test-cluster.ts';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function authorityFile({ config }: TestCluster): string {
  return join(dirname(config.socket), POLICY_AUTHORITY_FILE);
}

async function apiTo(cluster: TestCluster, port: number, token = 'of-admin-api'): Promise<NodeApi> {
  const authority = await waitFor('its authority', () => readFileSync(authorityFile(cluster), 'utf8'));
  const ports = { flanneld: port, 'policy-agent': port };
  const addressOf = () => ({ address: '127.0.0.1', authority });
  return createNodeApi(tlsTransport({ addressOf, ports, token: () => Promise.resolve(token) }));
}

const ask = (api: NodeApi, request: NodeRequest) =>
  api.ask(NODE, 'policy-agent', request, new AbortController().signal);

async function failure(work: Promise<unknown>): Promise<NodeApiError> {
  const error: unknown = await work.then(
    () => new Error('answered'),
    (reason: unknown) => reason,
  );
  if (error instanceof NodeApiError) return error;
  throw error;
}

test('questions are answered, as on the socket; what would change anything is not taken', async () => {
  const port = await freePort();
  await using cluster = createTestCluster([`--node-api-port=${port}`, '--node-api-user=admin-api']);
  await cluster.startReady();
  const api = await apiTo(cluster, port);
  const explain = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 'TCP', port: 80 };
  const questions: NodeRequest[] = [
    { op: 'endpoints' },
    { op: 'policies' },
    { op: 'counters' },
    { op: 'explain', question: explain },
  ];
  for (const question of questions) {
    expect(await cluster.ask(question as AgentRequest)).toEqual({ ok: true, value: await ask(api, question) });
  }
  expect(await ask(api, { op: 'status' })).toMatchObject({ node: NODE, ready: true });
  const change = { op: 'delete-endpoint', key: 'c1/eth0' } as unknown as NodeRequest;
  expect(await failure(ask(api, change))).toMatchObject({ code: 'agent', agentCode: 'bad-request' });
});

test('flows are followed', async () => {
  const port = await freePort();
  await using cluster = createTestCluster([`--node-api-port=${port}`, '--node-api-user=admin-api']);
  await cluster.startReady();
  const leave = new AbortController();
  const flows = (await apiTo(cluster, port)).follow(
    NODE,
    'policy-agent',
    { op: 'flows', follow: true, last: 10, denied: false },
    leave.signal,
  );
  cluster.kernel.tellVerdict({
    timeMs: 0,
    reason: 'ingress-denied',
    family: 4,
    source: unwrap(parseIp('10.0.0.1')),
    destination: unwrap(parseIp('10.0.0.2')),
    protocol: 6,
    lost: 0,
  });
  for await (const flow of flows) {
    expect(flow).toMatchObject({
      verdict: 'deny',
      source: { address: '10.0.0.1' },
      destination: { address: '10.0.0.2' },
    });
    leave.abort();
  }
  expect(leave.signal.aborted).toBe(true);
});

test('another token is refused, and no token is in the log', async () => {
  const port = await freePort();
  await using cluster = createTestCluster([`--node-api-port=${port}`, '--node-api-user=admin-api']);
  const { log } = await cluster.startReady();
  expect((await failure(ask(await apiTo(cluster, port, 'canary-7fe1'), { op: 'status' }))).code).toBe('refused');
  expect(await ask(await apiTo(cluster, port), { op: 'status' })).toBeDefined();
  expect(JSON.stringify(log.records)).not.toMatch(/canary-7fe1|of-admin-api/);
});

test('the authority is a file of root’s alone, without key; it goes when the option goes', async () => {
  const port = await freePort();
  await using cluster = createTestCluster([`--node-api-port=${port}`]);
  const agent = await cluster.startReady();
  const file = authorityFile(cluster);
  await waitFor('it', () => existsSync(file));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toMatch(/^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/);
  await agent.stop();
  const { nodeApi, ...without } = cluster.config;
  expect(nodeApi?.port).toBe(port);
  Object.assign(cluster.config, { nodeApi: undefined, ...without });
  rmSync(cluster.config.socket, { force: true });
  await cluster.startReady();
  expect(existsSync(file)).toBe(false);
});
