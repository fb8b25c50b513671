import type { AuditRecord } from '@canal/admin-schema';
import { CONFIG_MAPS, SERVICE_ACCOUNTS } from '@canal/store-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminWorld, CONFIG_MAP } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b');
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

test('audit records, newest first, in pages', async () => {
  const record = (second: number, requestId: string): AuditRecord => ({
    time: `2026-11-21T12:00:0${second}.000Z`,
    requestId,
    user: 'somebody',
    operation: 'putNetConf',
    object: 'ConfigMap canal-system/canal-config',
    dryRun: false,
    status: 200,
    changes: [],
  });
  world.audit.push(record(2, 'c'), record(1, 'b'), record(1, 'a'));
  const first = (await world.call('listAuditRecords', { query: { limit: 2 } })).body;
  expect(first.items.map(({ requestId }) => requestId)).toEqual(['c', 'a']);
  // What comes between two pages moves nothing.
  world.audit.unshift(record(3, 'd'));
  const second = (await world.call('listAuditRecords', { query: { limit: 2, cursor: first.next } })).body;
  expect(second.items.map(({ requestId }) => requestId)).toEqual(['b']);
  expect(second.next).toBeUndefined();
});

const CANARY = 'canary-3b9f';

test('the bundle has what is named, and no secret gets in, wherever it stands', async () => {
  await world.addNamespace(CONFIG_MAP.namespace);
  const netConf = {
    Network: '10.244.0.0/16',
    Token: CANARY,
    Backend: { Type: 'vxlan', VNI: 1, PSK: CANARY, Port: { secret: CANARY }, PrivateKey: CANARY },
  };
  await world.store.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...CONFIG_MAP, annotations: { note: CANARY } },
    data: { 'net-conf.json': JSON.stringify(netConf), 'cni-conf.json': CANARY, token: CANARY },
  });
  await world.store.create(SERVICE_ACCOUNTS, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: CANARY, namespace: CONFIG_MAP.namespace },
  });
  await world.addNode('c', { annotations: { 'example.com/token': CANARY } });
  for (const name of ['a', 'b', 'c']) {
    const state = world.state(name);
    Object.assign(state.network, { token: CANARY, deep: { key: CANARY } });
    Object.assign(state.policy, { token: CANARY, environment: [CANARY], streams: [{ kind: 'Pod', error: CANARY }] });
    Object.assign(state.policy.counts, { endpoints: 1 });
    state.peers = [{ node: 'b', address: '192.168.0.2', via: 'vxlan', key: CANARY } as never];
    state.policies = [{ policy: 'shop/db', uid: CANARY, localEndpoints: 1, problems: [], token: CANARY } as never];
  }
  world.nodes.close('b', 'policy-agent');
  const { body } = await world.call('diagnose');
  expect(JSON.stringify(body)).not.toContain(CANARY);
  expect(body.time).toBe('2026-11-21T12:00:00.000Z');
  expect(body.entries.map(({ path }) => path)).toEqual([
    'admin-api.json',
    'config/net-conf.json',
    ...['a', 'b', 'c'].flatMap((node) =>
      [
        'flanneld/peers.json',
        'flanneld/status.json',
        'node.json',
        ...(node === 'b' ? [] : ['policy-agent/policies.json', 'policy-agent/status.json']),
      ].map((file) => `nodes/${node}/${file}`),
    ),
  ]);
  expect(body.missing).toEqual(
    ['policies', 'status'].map((file) => ({
      path: `nodes/b/policy-agent/${file}.json`,
      reason: expect.stringContaining('connection refused') as unknown,
    })),
  );
  const content = new Map(body.entries.map((entry) => [entry.path, JSON.parse(entry.content) as unknown]));
  expect(content.get('config/net-conf.json')).toEqual({
    Network: '10.244.0.0/16',
    Backend: { Type: 'vxlan', VNI: 1 },
  });
  expect(content.get('nodes/a/node.json')).toMatchObject({ podCidrs: ['10.244.1.0/24'] });
  expect(content.get('nodes/a/policy-agent/policies.json')).toEqual({
    policies: [{ policy: 'shop/db', localEndpoints: 1, problems: [] }],
    unread: 0,
  });
});

test('without a ConfigMap, and without nodes that answer, there is a bundle that says so', async () => {
  for (const name of ['a', 'b']) {
    world.nodes.close(name, 'flanneld');
    world.nodes.garble(name, 'policy-agent');
  }
  const { body } = await world.call('diagnose');
  expect(body.entries.map(({ path }) => path)).toEqual(['admin-api.json', 'nodes/a/node.json', 'nodes/b/node.json']);
  expect(body.missing).toHaveLength(9);
  expect(body.missing[0]).toEqual({
    path: 'config/net-conf.json',
    reason: expect.stringContaining('there is no ConfigMap canal-system/canal-config') as unknown,
  });
});
