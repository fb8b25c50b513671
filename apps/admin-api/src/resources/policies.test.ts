import type { RuleCountMessage } from '@canal/agent-protocol';
import { NETWORK_POLICIES } from '@canal/store-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminWorld } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b', 'c');
  for (const name of ['shop', 'bank']) await world.addNamespace(name);
  for (const [namespace, name, spec] of [
    ['shop', 'db', { podSelector: {}, policyTypes: ['Ingress'] }],
    ['shop', 'all', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }],
    ['bank', 'vault', { podSelector: {}, policyTypes: ['Egress'] }],
  ] as const) {
    await world.store.create(NETWORK_POLICIES, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace, name },
      spec,
    });
  }
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const PROBLEM = { code: 'TooManyRules', field: 'spec', message: 'more than a chain holds; the pod stays isolated' };

test('policies with whom they select over all nodes, and what agents say of them', async () => {
  world.state('a').policies = [
    { policy: 'shop/db', uid: 'u', localEndpoints: 2, problems: [PROBLEM] },
    { policy: 'shop/gone', uid: 'u', localEndpoints: 2, problems: [] },
  ];
  world.state('b').policies = [{ policy: 'shop/db', uid: 'u', localEndpoints: 3, problems: [PROBLEM] }];
  const { body } = await world.call('listPolicies');
  expect(body).toEqual({
    partial: false,
    missing: [],
    items: [
      { namespace: 'bank', name: 'vault', kind: 'NetworkPolicy', directions: ['egress'], selects: 0, problems: [] },
      {
        namespace: 'shop',
        name: 'all',
        kind: 'NetworkPolicy',
        directions: ['ingress', 'egress'],
        selects: 0,
        problems: [],
      },
      {
        namespace: 'shop',
        name: 'db',
        kind: 'NetworkPolicy',
        directions: ['ingress'],
        selects: 5,
        problems: [PROBLEM],
      },
    ],
  });
});

test('a namespace, in pages', async () => {
  const first = (await world.call('listPolicies', { query: { namespace: 'shop', limit: 1 } })).body;
  expect(first.items.map(({ name }) => name)).toEqual(['all']);
  const query = { namespace: 'shop', limit: 1, cursor: first.next };
  const second = (await world.call('listPolicies', { query })).body;
  expect(second.items.map(({ name }) => name)).toEqual(['db']);
  expect(second.next).toBeUndefined();
});

test('what a node does not tell is named, and what others tell counts', async () => {
  world.state('a').policies = [{ policy: 'shop/db', uid: 'u', localEndpoints: 2, problems: [] }];
  world.state('b').policies = [{ policy: 'no name', uid: 'u', localEndpoints: 2, problems: [] }];
  world.nodes.close('c', 'policy-agent');
  const { body } = await world.call('listPolicies');
  expect(body.items.at(-1)?.selects).toBe(2);
  expect(body.partial).toBe(true);
  expect(body.missing).toEqual([
    {
      node: 'b',
      reason: expect.stringMatching(/^1 of 1 items cannot be read \(policy: expected namespace/) as unknown,
    },
    { node: 'c', reason: 'connection refused; not heard of yet' },
  ]);
});

test('what of a policy cannot be read is told with it', async () => {
  world.distort = (object) =>
    object.metadata.name === 'db' ? { ...object, spec: { podSelector: { matchLabels: 1 } } } : object;
  const { body } = await world.call('listPolicies');
  expect(body.items.at(-1)?.problems).toMatchObject([
    { code: 'InvalidSelector', field: expect.any(String) as unknown },
  ]);
});

test('hits of rules are added up over nodes, and belong to the policy that was counted, not to its name', async () => {
  const { uid = '' } = (await world.store.get(NETWORK_POLICIES, 'db', 'shop'))?.metadata ?? {};
  const hits = (more: Partial<RuleCountMessage>): RuleCountMessage => ({
    policy: 'shop/db',
    uid,
    direction: 'ingress',
    rule: 0,
    packets: 1,
    bytes: 60,
    sharedPackets: 0,
    since: '2026-11-21T10:00:00.000Z',
    ...more,
  });
  const { rule: _rule, ...denied } = hits({ packets: 9, bytes: 540 });
  world.state('a').counters = [
    denied,
    hits({ packets: 2, bytes: 120, sharedPackets: 1, since: '2026-11-21T11:00:00.000Z' }),
    hits({ rule: 1, packets: 0, bytes: 0 }),
  ];
  world.state('b').counters = [
    hits({ packets: 3, bytes: 180, sharedPackets: 2, since: '2026-11-21T09:00:00.000Z' }),
    hits({ uid: 'of one before', packets: 1000 }),
    hits({ policy: 'shop/gone', uid: 'gone' }),
  ];
  const { items, partial } = (await world.call('listPolicies')).body;
  expect(partial).toBe(false);
  expect(items.map(({ name, hits: found }) => [name, found?.length])).toEqual([
    ['vault', undefined],
    ['all', undefined],
    ['db', 3],
  ]);
  const since = '2026-11-21T10:00:00.000Z';
  expect(items.at(-1)?.hits).toEqual([
    {
      direction: 'ingress',
      rule: 0,
      packets: 5,
      bytes: 300,
      sharedPackets: 3,
      since: '2026-11-21T09:00:00.000Z',
    },
    { direction: 'ingress', rule: 1, packets: 0, bytes: 0, since },
    { direction: 'ingress', packets: 9, bytes: 540, since },
  ]);
});

test('a node whose agent does not count tells whom policies select, and is named', async () => {
  world.state('a').policies = [{ policy: 'shop/db', uid: 'u', localEndpoints: 2, problems: [] }];
  world.state('a').counters = [{ policy: 'shop/db' } as RuleCountMessage];
  const { policies } = world.state('b');
  world.nodes.serve('b', 'policy-agent', async function* older({ op }) {
    await Promise.resolve();
    if (op === 'policies') yield { ok: true, value: policies };
    else yield { ok: false, code: 'bad-request', message: `op: "${op}": expected policies` };
  });
  const { items, missing } = (await world.call('listPolicies')).body;
  expect(items.at(-1)?.selects).toBe(2);
  expect(missing).toEqual([
    { node: 'a', reason: expect.stringMatching(/^1 of 1 items cannot be read \(uid: /) as unknown },
    { node: 'b', reason: expect.stringMatching(/^hits: op: "counters": expected policies; /) as unknown },
  ]);
});

test('200 readers ask each node once', async () => {
  await Promise.all(Array.from({ length: 200 }, () => world.call('listPolicies')));
  const asked = world.nodes.asked.map(({ node, request }) => `${node} ${request.op}`);
  expect(asked.sort()).toEqual(['a', 'b', 'c'].flatMap((node) => [`${node} counters`, `${node} policies`]));
});

test('without the API server there is no list', async () => {
  world.isDown = true;
  await expect(world.call('listPolicies')).rejects.toMatchObject({
    problem: 'unavailable',
    message: 'networkpolicies cannot be listed: the Kubernetes API server says connection refused',
  });
  world.isDown = false;
  expect((await world.call('listPolicies')).body.items).toHaveLength(3);
});
