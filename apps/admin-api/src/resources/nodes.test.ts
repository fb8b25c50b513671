import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeSummary } from '@canal/admin-schema';
import type { AgentAnswer } from '@canal/agent-protocol';
import { NODES } from '@canal/store-port';
import { AdminWorld } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b', 'c');
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const list = async (query: object = {}) => (await world.call('listNodes', { query })).body;

test('nodes that are well', async () => {
  const { items, ...rest } = await list();
  expect(rest).toEqual({ partial: false, missing: [] });
  expect(items.map(({ name, state }) => [name, state])).toEqual([
    ['a', 'ready'],
    ['b', 'ready'],
    ['c', 'ready'],
  ]);
  expect(items[1]).toEqual({
    name: 'b',
    state: 'ready',
    backend: 'vxlan',
    addresses: ['192.168.0.2'],
    subnets: ['10.244.2.0/24'],
    agents: ['flanneld', 'policy-agent'].map((name) => ({
      name,
      state: 'ready',
      version: '0.1.0',
      lastSync: '2026-11-21T11:59:00.000Z',
      faults: [],
    })),
  });
});

test('pages ask only the nodes that they show', async () => {
  const first = await list({ limit: 2 });
  expect(first.items.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(new Set(world.nodes.asked.map(({ node }) => node))).toEqual(new Set(['a', 'b']));
  const second = await list({ limit: 2, cursor: first.next });
  expect(second.items.map(({ name }) => name)).toEqual(['c']);
  expect(second.next).toBeUndefined();
});

test('200 readers ask each agent once', async () => {
  await Promise.all(Array.from({ length: 200 }, () => list()));
  expect(world.nodes.asked).toHaveLength(6);
});

interface Failure {
  readonly name: string;
  readonly breakNode: () => void;
  readonly state: NodeSummary['state'];
  /** Of node b, if it is named as missing. */
  readonly missing: RegExp | undefined;
  /** Of its flanneld. */
  readonly fault: RegExp | undefined;
}

const FAILURES: readonly Failure[] = [
  {
    name: 'down',
    breakNode: () => {
      world.nodes.close('b', 'flanneld');
      world.nodes.close('b', 'policy-agent');
    },
    state: 'unreachable',
    missing: /^flanneld: connection refused/,
    fault: /^connection refused/,
  },
  {
    name: 'of which one agent is down',
    breakNode: () => world.nodes.close('b', 'flanneld'),
    state: 'degraded',
    missing: /^flanneld: connection refused/,
    fault: /^connection refused/,
  },
  {
    name: 'slow',
    breakNode: () => {
      world.nodes.silence('b', 'flanneld');
      world.nodes.silence('b', 'policy-agent');
    },
    state: 'unreachable',
    missing: /^flanneld: no answer within 2 s/,
    fault: /^no answer within 2 s/,
  },
  {
    name: 'of an older version that does not know the question',
    breakNode: () => answerAll('b', { ok: false, code: 'bad-request', message: 'op: expected status' }),
    state: 'not-ready',
    missing: undefined,
    fault: /^op: expected status/,
  },
  {
    name: 'of an older version that tells less',
    breakNode: () => answerAll('b', { ok: true, value: { version: '0.0.1', node: 'b', ready: true } }),
    state: 'unreachable',
    missing: /^flanneld: its answer is not that of an agent that this version knows \(notes: /,
    fault: /not that of an agent/,
  },
  {
    name: 'of a newer version that tells more',
    breakNode: () => Object.assign(world.state('b').network, { unknown: { deep: [1] } }),
    state: 'ready',
    missing: undefined,
    fault: undefined,
  },
  {
    name: 'that says what is no answer',
    breakNode: () => {
      world.nodes.garble('b', 'flanneld');
      world.nodes.garble('b', 'policy-agent');
    },
    state: 'unreachable',
    missing: /^flanneld: not JSON/,
    fault: /^not JSON/,
  },
  {
    name: 'that answers with something else',
    breakNode: () => answerAll('b', { ok: true, value: ['x'] }),
    state: 'unreachable',
    missing: /^flanneld: its answer is not/,
    fault: /the value: Invalid input: expected object, received array/,
  },
  {
    name: 'at whose address another node answers',
    breakNode: () => Object.assign(world.state('b').network, { node: 'a' }),
    state: 'degraded',
    missing: /^flanneld: the agent there says that it is of node "a"/,
    fault: /of node "a"/,
  },
  {
    name: 'that is not ready',
    breakNode: () => Object.assign(world.state('b').network, { ready: false, notes: ['no lease'] }),
    state: 'degraded',
    missing: undefined,
    fault: /^no lease$/,
  },
];

function answerAll(node: string, answer: AgentAnswer) {
  for (const agent of ['flanneld', 'policy-agent'] as const) {
    world.nodes.serve(node, agent, async function* same() {
      await Promise.resolve();
      yield answer;
    });
  }
}

describe('one node', () => {
  test.each(FAILURES)('$name', async ({ breakNode, state, missing, fault }) => {
    breakNode();
    const { items, ...rest } = await world.passTime(list());
    expect(items.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(items.map((item) => item.state)).toEqual(['ready', state, 'ready']);
    expect(rest.partial).toBe(missing !== undefined);
    expect(new Set(rest.missing.map(({ node }) => node))).toEqual(new Set(missing === undefined ? [] : ['b']));
    if (missing !== undefined) expect(rest.missing[0]?.reason).toMatch(missing);
    const faults = items[1]?.agents[0]?.faults ?? [];
    expect(faults).toHaveLength(fault === undefined ? 0 : 1);
    if (fault !== undefined) expect(faults[0]?.message).toMatch(fault);
    // Its own object tells where it would be.
    expect(items[1]?.subnets).toEqual(['10.244.2.0/24']);
    expect(items[1]?.addresses).toEqual(['192.168.0.2']);
  });
});

test('a Node object that cannot be read is told, and its agents are asked all the same', async () => {
  world.distort = (object) => ({ ...object, spec: { podCIDR: 'x', podCIDRs: ['x'] } });
  await world.store.mergePatch(NODES, 'b', { metadata: { labels: { changed: 'yes' } } });
  await expect
    .poll(async () => {
      await world.clock.advance(1_001);
      return (await list()).items[1]?.agents[0]?.faults[0]?.message;
    })
    .toMatch(/^the Node object cannot be read: .*podCIDR/);
});

test('one node with its peers', async () => {
  world.state('a').peers = [
    { node: 'b', address: '192.168.0.2', via: 'vxlan', reachable: true, roundTripSeconds: 0.001 },
    { node: 'c', address: '192.168.0.3', via: 'direct' },
  ];
  const { body } = await world.call('getNode', { params: { name: 'a' } });
  expect(body).toMatchObject({ name: 'a', podMtuBytes: 1450 });
  expect(body.peers).toEqual(world.state('a').peers);
});

test('a peer that cannot be read costs that peer, and is told', async () => {
  world.state('a').peers = [
    { node: 'b', address: '192.168.0.2', via: 'vxlan' },
    { node: 'c', address: '192.168.0.3', via: 'quantum' as 'vxlan' },
  ];
  const { body } = await world.call('getNode', { params: { name: 'a' } });
  expect(body.peers.map(({ node }) => node)).toEqual(['b']);
  expect(body.agents[0]?.faults[0]?.message).toMatch(/its peers are not all known: 1 of 2 items cannot be read \(via/);
});

test('a node that is not there', async () => {
  await expect(world.call('getNode', { params: { name: 'nobody' } })).rejects.toMatchObject({ problem: 'not-found' });
});

test('before the nodes are known nothing is answered', async () => {
  await using fresh = new AdminWorld();
  await expect(fresh.call('listNodes')).rejects.toMatchObject({ problem: 'unavailable', retryAfterSeconds: 2 });
});

test('notes of an agent are bounded', async () => {
  const notes = Array.from({ length: 100 }, () => '\u001b[31m'.repeat(1_000));
  Object.assign(world.state('a').network, { notes });
  const faults = (await list()).items[0]?.agents[0]?.faults ?? [];
  expect(faults).toHaveLength(50);
  expect(faults.every(({ message }) => message.length === 1024 && message.startsWith('\u001b[31m'))).toBe(true);
});
