import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EndpointStatusMessage } from '@canal/agent-protocol';
import { AdminWorld, KEYS } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b', 'c');
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

test('leases are as Node objects tell them, without a question', async () => {
  await world.addNode('d', { annotations: { [KEYS.backendData]: '{"VNI":1}' } });
  await world.addNode('e', { annotations: { [KEYS.subnetManager]: 'false' } });
  const { body } = await world.call('listLeases');
  expect(world.nodes.asked).toEqual([]);
  expect(body.partial).toBe(false);
  expect(body.items[0]).toEqual({
    node: 'a',
    family: 4,
    subnet: '10.244.1.0/24',
    publicIp: '192.168.0.1',
    backend: 'vxlan',
    faults: [],
  });
  const [d, e] = body.items.slice(3);
  expect(d).toMatchObject({ node: 'd', subnet: '10.244.4.0/24', backend: 'vxlan' });
  expect(d).not.toHaveProperty('publicIp');
  expect(d?.faults[0]?.message).toMatch(/annotation .*backend-data.*VtepMAC/);
  expect(e?.faults[0]?.message).toMatch(/no agent has announced itself/);
});

test('pools and addresses of all nodes, of one, and of one state', async () => {
  world.state('b').addresses = {
    pools: [{ subnet: '10.244.2.0/24', capacity: '253', inUse: 1, leaked: 1 }],
    addresses: [
      { address: '10.244.2.9', state: 'leaked', containerId: 'gone', interface: 'eth0' },
      {
        address: '10.244.2.3',
        state: 'in-use',
        containerId: 'here',
        interface: 'eth0',
        pod: { namespace: 'shop', name: 'web-0' },
        since: '2026-11-21T10:00:00.000Z',
      },
    ],
  };
  const pools = (await world.call('listAddressPools')).body;
  expect(pools.items.map(({ node, leaked }) => [node, leaked])).toEqual([
    ['a', 0],
    ['b', 1],
    ['c', 0],
  ]);
  const all = (await world.call('listAddresses')).body;
  expect(all.items.map(({ address }) => address)).toEqual(['10.244.1.2', '10.244.2.3', '10.244.2.9', '10.244.3.2']);
  const leaked = (await world.call('listAddresses', { query: { state: 'leaked' } })).body;
  expect(leaked.items).toEqual([
    { node: 'b', address: '10.244.2.9', state: 'leaked', containerId: 'gone', interface: 'eth0' },
  ]);
  const ofB = (await world.call('listAddresses', { query: { node: 'b' } })).body;
  expect(ofB.items.map(({ containerId }) => containerId)).toEqual(['here', 'gone']);
  await expect(world.call('listAddresses', { query: { node: 'z' } })).rejects.toMatchObject({
    problem: 'invalid',
    errors: [{ pointer: '#query/node' }],
  });
});

function endpoint(name: string, namespace = 'shop'): EndpointStatusMessage {
  return {
    key: `${name}/eth0`,
    hostInterface: 'cnl0',
    mode: 'routed',
    addresses: ['10.244.1.7'],
    pod: { namespace, name, uid: 'u' },
    state: 'policed',
    ingress: ['shop/web'],
    egress: [],
  };
}

test('pages of endpoints go over nodes, asking those that they show', async () => {
  for (const node of ['a', 'b', 'c']) {
    world.state(node).endpoints = ['z', 'x', 'y'].map((name) => endpoint(`${node}-${name}`));
  }
  const told: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const { body } = await world.call('listEndpoints', { query: { limit: 2, ...(cursor && { cursor }) } });
    told.push(...body.items.map(({ pod }) => pod?.name ?? ''));
    cursor = body.next;
    pages++;
  } while (cursor !== undefined);
  expect(told).toEqual(['a', 'b', 'c'].flatMap((node) => ['x', 'y', 'z'].map((name) => `${node}-${name}`)));
  expect(pages).toBe(5);
});

test('an endpoint says what isolates it, without what only its agent needs', async () => {
  world.state('a').endpoints = [endpoint('web-0'), { ...endpoint('b'), key: 'c1/eth0', pod: undefined as never }];
  const { body } = await world.call('listEndpoints', { query: { namespace: 'shop' } });
  expect(body.items).toEqual([
    {
      node: 'a',
      interface: 'cnl0',
      addresses: ['10.244.1.7'],
      pod: { namespace: 'shop', name: 'web-0' },
      state: 'policed',
      ingress: ['shop/web'],
      egress: [],
    },
  ]);
  const all = (await world.call('listEndpoints', { query: { node: 'a' } })).body;
  expect(all.items.map(({ pod }) => pod?.name)).toEqual([undefined, 'web-0']);
});

test('a cursor of another namespace is refused', async () => {
  world.state('a').endpoints = [endpoint('x'), endpoint('y')];
  const { body } = await world.call('listEndpoints', { query: { namespace: 'shop', limit: 1 } });
  const query = { namespace: 'other', limit: 1, cursor: body.next };
  await expect(world.call('listEndpoints', { query })).rejects.toMatchObject({ problem: 'invalid' });
});

interface Break {
  readonly name: string;
  readonly doIt: () => void;
  readonly reason: RegExp;
  /** Of node b. */
  readonly left: readonly string[];
}

const BREAKS: readonly Break[] = [
  {
    name: 'down',
    doIt: () => world.nodes.close('b', 'flanneld'),
    reason: /^connection refused; not heard of yet$/,
    left: [],
  },
  { name: 'slow', doIt: () => world.nodes.silence('b', 'flanneld'), reason: /^no answer within 2 s/, left: [] },
  { name: 'talking nonsense', doIt: () => world.nodes.garble('b', 'flanneld'), reason: /^not JSON/, left: [] },
  {
    name: 'of an older version',
    doIt: () => {
      world.nodes.serve('b', 'flanneld', async function* old() {
        await Promise.resolve();
        yield { ok: false, code: 'bad-request', message: 'op: expected network-status' };
      });
    },
    reason: /^op: expected network-status/,
    left: [],
  },
  {
    name: 'with one item that cannot be read',
    doIt: () => {
      const { pools, addresses } = world.state('b').addresses;
      const wrong = { address: 'here', state: 'in-use', containerId: 'x', interface: 'eth0' } as const;
      world.state('b').addresses = { pools, addresses: [...addresses, wrong] };
    },
    reason: /^1 of 2 items cannot be read \(address: /,
    left: ['10.244.2.2'],
  },
];

test.each(BREAKS)('addresses of the others are told when a node is $name', async ({ doIt, reason, left }) => {
  doIt();
  const { body } = await world.passTime(world.call('listAddresses'));
  expect(body.items.map(({ address }) => address)).toEqual(['10.244.1.2', ...left, '10.244.3.2']);
  expect(body.partial).toBe(true);
  expect(body.missing).toEqual([{ node: 'b', reason: expect.stringMatching(reason) as unknown }]);
});

test('a page that does not reach a node does not call it missing', async () => {
  world.nodes.close('c', 'flanneld');
  const { body } = await world.call('listAddresses', { query: { limit: 1 } });
  expect(body).toMatchObject({ partial: false, missing: [] });
  const rest = (await world.call('listAddresses', { query: { cursor: body.next } })).body;
  expect(rest.items.map(({ node }) => node)).toEqual(['b']);
  expect(rest.missing.map(({ node }) => node)).toEqual(['c']);
});
