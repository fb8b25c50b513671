import { CONFIG_MAPS } from '@canal/store-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminWorld, CONFIG_MAP } from './testing/admin-world.ts';

let world: AdminWorld;

const NET_CONF = { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' }, Future: { kept: [1] } };

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b');
  await world.addNamespace(CONFIG_MAP.namespace);
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function store(text: string): Promise<void> {
  await world.store.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: CONFIG_MAP,
    data: { 'net-conf.json': text, other: 'stays' },
  });
}

async function stored(): Promise<unknown> {
  const { namespace, name } = CONFIG_MAP;
  return (await world.store.get(CONFIG_MAPS, name, namespace))?.['data'];
}

test('it is read with the version of its object', async () => {
  await store(JSON.stringify(NET_CONF));
  const { body, etag } = await world.call('getNetConf');
  expect(body.netConf).toEqual(NET_CONF);
  expect(etag).toBe(
    (await world.store.get(CONFIG_MAPS, CONFIG_MAP.name, CONFIG_MAP.namespace))?.metadata.resourceVersion,
  );
});

test.each([
  ['there is no ConfigMap', undefined, 'not-found'],
  ['it is not JSON', '{', 'conflict'],
  ['it is a list', '[]', 'conflict'],
  ['it has a key that no answer holds', JSON.stringify({ ['x'.repeat(65)]: 1 }), 'conflict'],
])('%s', async (_, text, problem) => {
  if (text !== undefined) await store(text);
  await expect(world.call('getNetConf')).rejects.toMatchObject({ problem });
});

test('the API server is away', async () => {
  world.isDown = true;
  await expect(world.call('getNetConf')).rejects.toMatchObject({ problem: 'unavailable', retryAfterSeconds: 2 });
});

test('a change is tried, then made, with its effects in words', async () => {
  await store(JSON.stringify(NET_CONF, undefined, 2));
  const { etag = '' } = await world.call('getNetConf');
  const body = { netConf: { ...NET_CONF, Backend: { Type: 'host-gw' } } };
  const tried = await world.call('putNetConf', { body, ifMatch: [etag], dryRun: true });
  expect(tried.body).toEqual({
    applied: false,
    problems: [],
    warnings: [{ pointer: '', detail: expect.stringContaining('Future') as unknown }],
    effects: [
      'Backend.Type: vxlan -> host-gw',
      expect.stringContaining('all nodes must be in one subnet'),
      expect.stringContaining('30 s'),
      expect.stringContaining('MTU of new pods'),
      expect.stringContaining('within a minute or two'),
    ],
  });
  expect(tried.etag).toBe(etag);
  expect(await stored()).toEqual({ 'net-conf.json': JSON.stringify(NET_CONF, undefined, 2), other: 'stays' });

  const made = await world.call('putNetConf', { body, ifMatch: [etag] });
  expect(made.body).toEqual({ ...tried.body, applied: true });
  expect(made.audit).toEqual({
    object: 'ConfigMap canal-system/canal-config',
    changes: ['-     "Type": "vxlan"', '+     "Type": "host-gw"'],
  });
  expect(await stored()).toEqual({
    'net-conf.json': `${JSON.stringify(body.netConf, undefined, 2)}\n`,
    other: 'stays',
  });
  const now = await world.call('getNetConf');
  expect(now.etag).toBe(made.etag);
  expect(now.etag).not.toBe(etag);
});

test('who has read an older version changes nothing', async () => {
  await store(JSON.stringify(NET_CONF));
  const { etag = '' } = await world.call('getNetConf');
  const one = { netConf: { ...NET_CONF, Backend: { Type: 'host-gw' } } };
  await world.call('putNetConf', { body: one, ifMatch: [etag] });
  const before = await stored();
  const other = { netConf: { ...NET_CONF, Backend: { Type: 'vxlan', VNI: 7 } } };
  for (const dryRun of [true, false]) {
    await expect(world.call('putNetConf', { body: other, ifMatch: [etag], dryRun })).rejects.toMatchObject({
      problem: 'precondition-failed',
    });
  }
  // An entity tag like any other: If-Match: "*", with quotes.
  await expect(world.call('putNetConf', { body: other, ifMatch: ['*'] })).rejects.toMatchObject({
    problem: 'precondition-failed',
  });
  await expect(world.call('putNetConf', { body: other })).rejects.toMatchObject({ problem: 'precondition-required' });
  expect(await stored()).toEqual(before);
});

test('the audit record tells what changes, and of what may be a key that it does', async () => {
  const secret = (text: string) => ({ ...NET_CONF, Keep: [text], Backend: { Type: 'vxlan', VNI: 1, PSK: text } });
  // On one line, as by hand.
  await store(JSON.stringify(secret('canary-1')));
  const { etag = '' } = await world.call('getNetConf');
  const body = { netConf: { ...secret('canary-2'), Backend: { Type: 'vxlan', VNI: 2, PSK: 'canary-2' } } };
  const { audit } = await world.call('putNetConf', { body, ifMatch: [etag] });
  expect(audit?.changes).toEqual([
    '-     "VNI": 1',
    '+     "VNI": 2',
    '~ Keep (its value is left out)',
    '~ Backend.PSK (its value is left out)',
  ]);
});

test('of two who write at one time one is refused', async () => {
  await store(JSON.stringify(NET_CONF));
  const { etag = '' } = await world.call('getNetConf');
  const writes = [1, 2, 3, 4].map((vni) =>
    world.call('putNetConf', {
      body: { netConf: { ...NET_CONF, Backend: { Type: 'vxlan', VNI: vni } } },
      ifMatch: [etag],
    }),
  );
  const outcomes = await Promise.allSettled(writes);
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(3);
  for (const one of refused) expect(one).toMatchObject({ reason: { problem: 'precondition-failed' } });
});

test('what agents would not take is refused with pointers, and nothing changes', async () => {
  await store(JSON.stringify(NET_CONF));
  const { etag = '' } = await world.call('getNetConf');
  const body = { netConf: { Network: '10.244.0.0', Backend: { Type: 'vxlan', VNI: -1 } } };
  const before = await stored();
  await expect(world.call('putNetConf', { body, ifMatch: [etag] })).rejects.toMatchObject({
    problem: 'invalid',
    errors: expect.arrayContaining([
      { pointer: '/netConf/Backend/VNI', detail: 'Backend.VNI is -1: expected a number within 0..16777215' },
    ]) as unknown,
  });
  expect(await stored()).toEqual(before);
  const { body: verdict } = await world.call('validateNetConf', { body });
  expect(verdict.applied).toBe(false);
  expect(verdict.problems.map(({ pointer }) => pointer)).toContain('/Backend/VNI');
});

const BASE = { Network: '10.244.0.0/16', Backend: { Type: 'vxlan', VNI: 1, Port: 8472 } };

test.each<[string, object, readonly (string | RegExp)[]]>([
  ['nothing', { ...BASE, Backend: { type: 'VXLAN' } }, [/^nothing changes/]],
  [
    'the VNI',
    { ...BASE, Backend: { Type: 'vxlan', VNI: 2 } },
    ['Backend.VNI: 1 -> 2', /flannel\.2/, /30 s/, /kubelet/],
  ],
  ['the port', { ...BASE, Backend: { Type: 'vxlan', Port: 4789 } }, ['Backend.Port: 8472 -> 4789', /again/, /kubelet/]],
  [
    'direct routing',
    { ...BASE, Backend: { Type: 'vxlan', DirectRouting: true } },
    ['Backend.DirectRouting: false -> true', /without the tunnel/, /kubelet/],
  ],
  [
    'the MTU',
    { ...BASE, Backend: { Type: 'vxlan', MTU: 1400 } },
    ['Backend.MTU: none -> 1400', /MTU of new pods/, /kubelet/],
  ],
  [
    'the network, outside of which nodes are',
    { ...BASE, Network: '10.244.1.0/24' },
    ['Network: 10.244.0.0/16 -> 10.244.1.0/24', /^1 node \(b\) with no pod subnet inside 10\.244\.1\.0\/24/, /kubelet/],
  ],
  [
    'the other family, of which nodes have nothing',
    { ...BASE, EnableIPv6: true, IPv6Network: 'fd00::/56' },
    ['IPv6Network: none -> fd00::/56', /IPv6 is on/, /^2 nodes \(a, b\)/, /kubelet/],
  ],
])('effects of another value for %s', async (_, netConf, effects) => {
  await store(JSON.stringify(BASE));
  const { body } = await world.call('validateNetConf', { body: { netConf } });
  expect(body.problems).toEqual([]);
  expect(body.effects).toHaveLength(effects.length);
  for (const [index, effect] of effects.entries()) expect(body.effects[index]).toMatch(effect);
});

test('validated without a ConfigMap, everything is new', async () => {
  const { body } = await world.call('validateNetConf', { body: { netConf: BASE } });
  expect(body.effects[0]).toBe('Network: none -> 10.244.0.0/16');
});
