import type { FlowRecord } from '@canal/agent-protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminWorld } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b', 'c');
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function record(ms: number, more: Partial<FlowRecord> = {}): FlowRecord {
  return {
    time: new Date(Date.parse('2026-11-21T11:00:00.000Z') + ms).toISOString(),
    verdict: 'deny',
    reason: 'no-rule-allows',
    direction: 'ingress',
    source: { address: '10.244.1.5', port: 40_000, pod: { namespace: 'shop', name: 'web-0' } },
    destination: { address: '10.244.2.5', port: 5432 },
    protocol: 'TCP',
    lost: 0,
    ...more,
  };
}

async function readAll(query: object): Promise<string[]> {
  const told: string[] = [];
  let cursor: string | undefined;
  do {
    const { body } = await world.call('listFlows', { query: { ...query, ...(cursor && { cursor }) } });
    told.push(...body.items.map(({ node, time, source }) => `${time.slice(17, 23)} ${node} ${source.port ?? ''}`));
    cursor = body.next;
  } while (cursor !== undefined);
  return told;
}

test('newest first over all nodes', async () => {
  world.state('a').flows = [record(1), record(4)];
  world.state('b').flows = [record(2), record(3), record(5)];
  const { body } = await world.call('listFlows');
  expect(body.items.map(({ node, time }) => `${node} ${time.slice(-4, -1)}`)).toEqual([
    'b 005',
    'a 004',
    'b 003',
    'b 002',
    'a 001',
  ]);
  expect(body).toMatchObject({ partial: false, missing: [] });
  expect(body.next).toBeUndefined();
});

test('pages go on where the last one ended, those of one moment too, whatever comes between', async () => {
  world.state('a').flows = [1, 1, 1, 2, 2].map((ms, port) => record(ms, { source: { address: '1.1.1.1', port } }));
  world.state('b').flows = [1, 2].map((ms, port) => record(ms, { source: { address: '1.1.1.1', port } }));
  const expected = await readAll({});
  expect(expected).toEqual([
    '00.002 a 4',
    '00.002 a 3',
    '00.002 b 1',
    '00.001 a 2',
    '00.001 a 1',
    '00.001 a 0',
    '00.001 b 0',
  ]);
  for (const limit of [1, 2, 3, 6]) expect(await readAll({ limit })).toEqual(expected);

  const first = (await world.call('listFlows', { query: { limit: 4 } })).body;
  const { state } = { state: world.state('a') };
  state.flows = [...state.flows, record(1, { source: { address: '1.1.1.1', port: 9 } }), record(7)];
  await world.clock.advance(1_001);
  const rest = (await world.call('listFlows', { query: { limit: 500, cursor: first.next } })).body;
  expect(rest.items.map(({ node, source }) => `${node} ${source.port ?? ''}`)).toEqual(['a 1', 'a 0', 'b 0']);
});

test('pages of any length tell the same', async () => {
  const flows = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(5)), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(flows, fc.integer({ min: 1, max: 6 }), async (all, limit) => {
      for (const name of ['a', 'b', 'c']) {
        const own = all.map(([node, ms], port) => ({ node, ms, port })).filter(({ node }) => node === name);
        own.sort((x, y) => x.ms - y.ms);
        world.state(name).flows = own.map(({ ms, port }) => record(ms, { source: { address: '1.1.1.1', port } }));
      }
      await world.clock.advance(1_001);
      const paged = await readAll({ limit });
      expect(paged).toHaveLength(all.length);
      expect(paged).toEqual(await readAll({ limit: 500 }));
    }),
    { numRuns: 30 },
  );
});

test('the same verdict several times in a moment is told as often, and the pages come to an end', async () => {
  world.state('a').flows = [record(1), record(1), record(1), record(1), record(2), record(2)];
  world.state('b').flows = [record(1), record(1)];
  const expected = await readAll({});
  expect(expected).toHaveLength(8);
  for (const limit of [1, 2, 3, 5]) {
    let pages = 0;
    const told: string[] = [];
    let cursor: string | undefined;
    do {
      const { body } = await world.call('listFlows', { query: { limit, ...(cursor && { cursor }) } });
      told.push(...body.items.map(({ node, time, source }) => `${time.slice(17, 23)} ${node} ${source.port ?? ''}`));
      cursor = body.next;
      pages++;
    } while (cursor !== undefined && pages <= 8);
    expect(told).toEqual(expected);
  }
});

test('filters', async () => {
  const pod = { namespace: 'bank', name: 'vault' };
  world.state('a').flows = [
    record(1, { verdict: 'allow', destination: { address: '10.244.2.9', pod } }),
    ...Array.from({ length: 20 }, (_, index) => record(index + 2)),
  ];
  world.state('b').flows = [record(2, { verdict: 'allow' })];
  const nodesOf = async (query: object): Promise<readonly string[]> =>
    (await world.call('listFlows', { query: { limit: 2, ...query } })).body.items.map(({ node }) => node);
  expect(await nodesOf({ verdict: 'allow' })).toEqual(['b', 'a']);
  expect(await nodesOf({ namespace: 'bank' })).toEqual(['a']);
  expect(await nodesOf({ node: 'b' })).toEqual(['b']);
  expect(await nodesOf({ node: 'b', verdict: 'deny' })).toEqual([]);
});

test('what a node does not tell is named', async () => {
  world.state('a').flows = [record(1), { ...record(2), time: 'now' }];
  world.nodes.close('b', 'policy-agent');
  world.nodes.silence('c', 'policy-agent');
  const { body } = await world.passTime(world.call('listFlows'));
  expect(body.items).toHaveLength(1);
  expect(body.missing).toEqual([
    { node: 'a', reason: '1 records cannot be read: is the agent of another version?' },
    { node: 'b', reason: 'connection refused; not heard of yet' },
    { node: 'c', reason: 'no answer within 2 s; not heard of yet' },
  ]);
});

test('200 readers ask each node once', async () => {
  await Promise.all(Array.from({ length: 200 }, () => world.call('listFlows')));
  expect(world.nodes.asked).toHaveLength(3);
});
