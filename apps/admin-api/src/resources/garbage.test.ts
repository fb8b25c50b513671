/** Whatever agents say, answers are what the schemas promise, and what was left out is told. */
import type { AgentAnswer } from '@canal/agent-protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminWorld } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a', 'b');
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const GOOD: readonly unknown[] = [
  { node: 'b', address: '192.168.0.2', via: 'vxlan', reachable: true, roundTripSeconds: 0.1 },
  { address: '10.244.2.9', state: 'leaked', containerId: 'gone', interface: 'eth0', since: '2026-11-21T10:00:00.000Z' },
  { subnet: '10.244.2.0/24', capacity: '253', inUse: 1, leaked: 1 },
  {
    key: 'c/eth0',
    hostInterface: 'cnl0',
    mode: 'routed',
    addresses: ['10.244.1.7'],
    pod: { namespace: 'shop', name: 'web-0', uid: 'u' },
    state: 'policed',
    ingress: ['shop/web'],
    egress: [],
  },
  { policy: 'shop/db', uid: 'u', localEndpoints: 2, problems: [{ code: 'x', field: 'y', message: 'z' }] },
  {
    time: '2026-11-21T11:00:00.000Z',
    verdict: 'deny',
    reason: 'no-rule-allows',
    source: { address: '10.244.1.5', port: 40_000 },
    destination: { address: '10.244.2.5', port: 5432 },
    protocol: 'TCP',
    lost: 0,
  },
];

/** A good item with some of its fields, at any depth, as something else. */
const bent = fc.tuple(fc.constantFrom(...GOOD), fc.jsonValue(), fc.nat()).map(([good, other, seed]) => {
  let place = seed;
  const bend = (value: unknown): unknown => {
    place = (place * 31 + 7) % 1_009;
    if (place % 6 === 0) return other;
    if (Array.isArray(value)) return value.map(bend);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, bend(inner)]));
  };
  return bend(good);
});
const list = fc.array(fc.oneof(bent, fc.constantFrom(...GOOD), fc.jsonValue()), { maxLength: 5 });
const value = fc.oneof(
  fc.jsonValue(),
  list,
  fc.record({ pools: list, addresses: list }),
  fc.record({ version: fc.string(), node: fc.constant('b'), ready: fc.boolean(), notes: fc.array(fc.string()) }),
);
const answer: fc.Arbitrary<AgentAnswer> = fc.oneof(
  value.map((said) => ({ ok: true as const, value: said })),
  fc.record({
    ok: fc.constant(false as const),
    code: fc.constantFrom('bad-request', 'not-found', 'not-ready', 'kernel', 'internal'),
    message: fc.string(),
  }),
);

test('lists, nodes, flows and the bundle', async () => {
  let whole = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { maxLength: 4 }), async (said) => {
      for (const agent of ['flanneld', 'policy-agent'] as const) {
        world.nodes.serve('b', agent, async function* garbage() {
          await Promise.resolve();
          yield* said;
        });
      }
      await world.clock.advance(1_001);
      const pages = await Promise.all([
        world.call('listEndpoints'),
        world.call('listPolicies'),
        world.call('listFlows'),
        world.call('listAddressPools'),
        world.call('listAddresses'),
      ]);
      for (const { body } of pages) {
        expect(body.missing.every(({ node }) => node === 'b')).toBe(true);
        expect(body.partial).toBe(body.missing.length > 0);
        if (!body.partial) whole++;
      }
      const { body } = await world.call('listNodes');
      expect(body.items.map(({ name }) => name)).toEqual(['a', 'b']);
      expect(body.items[0]?.state).toBe('ready');
      await world.call('getNode', { params: { name: 'b' } });
      await world.call('diagnose');
    }),
    { numRuns: 150 },
  );
  // Some are good by chance, or this would show nothing.
  expect(whole).toBeGreaterThan(0);
});

test('explanations', async () => {
  await fc.assert(
    fc.asyncProperty(answer, async (said) => {
      for (const name of ['a', 'b']) world.state(name).explain = () => said;
      await world.clock.advance(1_001);
      const body = { source: '10.244.1.5', destination: '10.244.2.5' };
      await expect(world.call('explain', { body })).rejects.toMatchObject({
        problem: expect.stringMatching(/^(unavailable|invalid|not-found)$/) as unknown,
      });
    }),
    { numRuns: 100 },
  );
});
