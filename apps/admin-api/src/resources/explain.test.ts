import type { AgentAnswer } from '@canal/agent-protocol';
import { PODS } from '@canal/store-port';
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

function explained(words: string): AgentAnswer {
  const end = { address: '10.244.1.5', kind: 'pod', pod: { namespace: 'shop', name: 'web-0' } };
  const ingress = { direction: 'ingress', verdict: 'deny', reason: 'no-rule-allows', policies: ['shop/db'] };
  const misses = [{ policy: 'shop/db', index: 0, missed: 'peer', more: 1 }];
  const value = { verdict: 'deny', source: end, destination: end, protocol: 'TCP', port: 80, newer: true };
  return { ok: true, value: { ...value, ingress: { ...ingress, misses }, words: [words] } };
}

const BODY = { source: '10.244.2.7', destination: '10.244.3.7', port: 80 };
const asked = (): readonly string[] => world.nodes.asked.map(({ node }) => node);

test('the node of the destination is asked, in the words of the question', async () => {
  for (const name of ['a', 'b', 'c']) world.state(name).explain = () => explained(name);
  const { body } = await world.call('explain', { body: BODY });
  expect(body.words).toEqual(['c']);
  expect(body.ingress?.misses).toEqual([{ policy: 'shop/db', index: 0, missed: 'peer' }]);
  expect(world.nodes.asked).toEqual([
    { node: 'c', agent: 'policy-agent', request: { op: 'explain', question: { ...BODY, protocol: 'TCP' } } },
  ]);
});

test('a pod by its name is looked up for its node', async () => {
  await world.addNamespace('shop');
  await world.store.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'web-0' },
    spec: { nodeName: 'b', containers: [{ name: 'c', image: 'i' }] },
  });
  world.state('b').explain = () => explained('b');
  const { body } = await world.call('explain', { body: { source: '192.0.2.1', destination: 'shop/web-0' } });
  expect(body.words).toEqual(['b']);
  expect(asked()).toEqual(['b']);
});

test('another is asked when the nearest does not answer', async () => {
  world.nodes.close('c', 'policy-agent');
  world.state('b').explain = () => ({ ok: false, code: 'not-ready', message: 'wait' });
  world.state('a').explain = () => explained('a');
  expect((await world.call('explain', { body: BODY })).body.words).toEqual(['a']);
  expect(asked()).toEqual(['c', 'b', 'a']);
});

test.each([
  ['not-found', 'not-found'],
  ['bad-request', 'invalid'],
] as const)("an agent's %s is the answer", async (code, problem) => {
  world.state('c').explain = () => ({ ok: false, code, message: 'pod shop/x: the API tells of no such pod' });
  await expect(world.call('explain', { body: BODY })).rejects.toMatchObject({
    problem,
    message: expect.stringContaining('the API tells of no such pod') as unknown,
  });
  expect(asked()).toEqual(['c']);
});

test('when nobody answers, why is told of each', async () => {
  for (const name of ['a', 'b', 'c']) world.nodes.close(name, 'policy-agent');
  await expect(world.call('explain', { body: BODY })).rejects.toMatchObject({
    problem: 'unavailable',
    message: expect.stringMatching(/c: connection refused.*b: connection refused.*a: connection refused/) as unknown,
  });
});

test.each(['../../secrets', 'a/b/c', 'UPPER/x', '/x'])(
  'what is no name of a pod (%s) is not looked up',
  async (source) => {
    world.isDown = true;
    world.state('c').explain = () => ({ ok: false, code: 'bad-request', message: 'expected namespace/name' });
    await expect(world.call('explain', { body: { ...BODY, source } })).rejects.toMatchObject({ problem: 'invalid' });
  },
);
