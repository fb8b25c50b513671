import type { PolicyGuard, PolicyKernel, PolicyKernelEvent } from '@canal/kernel-port';
import { NETLINK_NETFILTER } from '@canal/linux-ffi';
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { ipToBytes } from 'net-types';
import {
  changeNftables,
  createNetlinkConnection,
  delNftElements,
  getNftGeneration,
  limitRate,
  newNftElements,
  NFPROTO,
} from 'netlink-ts';
import { afterAll, describe, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { addresses, chain, delta, endpointOf, type HandRules, ip, viewOf } from './testing/rules.ts';
import { COUNTERS, EG_1, handPod, IN_1, SAMPLE, SAMPLE_GUARD } from './testing/sample-rules.ts';

const GUARD: PolicyGuard = SAMPLE_GUARD;
const NOTHING = { writes: 0, differences: [] };

function generationOf(netns: TestNetns): number {
  using connection = createNetlinkConnection(() => netns.openSocket({ protocol: NETLINK_NETFILTER }));
  return getNftGeneration(connection);
}

const inJson = (value: unknown): string => JSON.stringify(value);

/** Without the numbers that the kernel gives out, elements in some order. */
function listing(netns: TestNetns): string[] {
  const text = netns.run(['nft', '-j', 'list', 'ruleset']);
  const plain = text
    .replaceAll(/, "handle": [0-9]+/g, '')
    .replaceAll(/"(packets|bytes)": [0-9]+/g, '"$1": 0')
    .replaceAll(/"since [^"]+"/g, '"since"');
  const { nftables } = JSON.parse(plain) as { nftables: object[] };
  const sorted = (_key: string, value: unknown): unknown =>
    Array.isArray(value) ? value.map(inJson).toSorted() : value;
  return nftables.map((item) => JSON.stringify(item, sorted)).toSorted();
}

test('a second agent finds everything as it is: no write, the same generation', async () => {
  using netns = createTestNetns('node');
  const first = createPolicyKernel({ netns: netns.path });
  expect(await first.isClosed()).toBe(false);
  expect((await first.resync(viewOf(SAMPLE), GUARD)).writes).toBeGreaterThan(50);
  expect(await first.isClosed()).toBe(true);
  first.close();
  const generation = generationOf(netns);

  const second = createPolicyKernel({ netns: netns.path });
  expect(await second.isClosed()).toBe(true);
  expect(await second.resync(viewOf(SAMPLE), GUARD)).toEqual(NOTHING);
  expect(generationOf(netns)).toBe(generation);
  // What would be counted if there were a difference.
  expect((await second.resync(viewOf(SAMPLE), { ...GUARD, allowSample: 0 })).writes).toBeGreaterThan(0);
  expect(generationOf(netns)).toBe(generation + 1);
  second.close();
});

test('nft lists everything, and what it listed can be loaded again', async () => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  await kernel.resync(viewOf(SAMPLE), GUARD);
  const before = listing(netns);
  expect(before).toSatisfy((items: unknown[]) => items.length > 100);
  const text = netns.run(['nft', 'list', 'ruleset']);
  netns.run(['nft', 'flush', 'ruleset']);
  netns.run(['nft', '-f', '-'], { stdin: text });
  expect(listing(netns)).toEqual(before);
  expect(await kernel.resync(viewOf(SAMPLE), GUARD)).toEqual(NOTHING);
  kernel.close();
});

test('a change leaves the kernel as a resync would: endpoints, chains, sets and members', async () => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  await kernel.resync(viewOf(SAMPLE), GUARD);
  const [first, second, third, sixth] = SAMPLE.endpoints;
  if (!first || !second || !third || !sixth) throw new Error('four endpoints');

  // The third goes, a fourth has its address; the first is no longer isolated for egress; the second begins to be.
  const chains = [
    ...SAMPLE.chains.slice(0, 1),
    chain('in-000000000002', { peer: { type: 'addresses', set: 'ad-000000000002' }, ports: 'any' }),
  ];
  const sets = [
    addresses('ad-000000000001', '10.244.1.12', '10.244.2.99'),
    addresses('ad-000000000002', '10.244.3.1', 'fd00::1'),
  ];
  const { egress: _, ...opened } = first;
  const closed = { ...second, ingress: 'in-000000000002' };
  const fourth = endpointOf({ ...handPod(4), ip4: handPod(3).ip4 }, { ingress: IN_1 });
  // One on a bridge, which comes with it.
  netns.run(['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
  const fifth = endpointOf(handPod(5), { mode: 'bridge', ingress: IN_1 });
  const after: HandRules = { endpoints: [opened, closed, fourth, fifth], chains, sets };
  await kernel.apply(
    delta({
      newSets: [{ id: 'ad-000000000002', kind: 'addresses' }],
      newChains: chains.slice(1),
      members: new Map([
        [
          'ad-000000000001',
          {
            added: [{ kind: 'addresses', ip: ip('10.244.2.99') }],
            removed: ['10.244.2.11', 'fd00:10:244:2::b'].map((text) => ({ kind: 'addresses', ip: ip(text) })),
          },
        ],
      ]),
      endpoints: [opened, closed, fourth, fifth],
      removedEndpoints: [third, sixth],
      removedChains: [EG_1],
      removedSets: SAMPLE.sets.slice(1).map(([set]) => set),
    }),
    viewOf(after),
  );
  expect(await kernel.resync(viewOf(after), GUARD)).toEqual(NOTHING);

  await kernel.setGuard({ nodeAddresses: [ip('192.0.2.2'), ip('192.0.2.3')], tunnelPorts: [4789], allowSample: 0 });
  await kernel.setGuard({ nodeAddresses: [], tunnelPorts: [4789, 8472], allowSample: 1 });
  expect(await kernel.resync(viewOf(after), { nodeAddresses: [], tunnelPorts: [4789, 8472], allowSample: 1 })).toEqual(
    NOTHING,
  );

  // From one view to another by reading.
  await kernel.resync(viewOf(SAMPLE), GUARD);
  expect(await kernel.resync(viewOf(SAMPLE), GUARD)).toEqual(NOTHING);
  kernel.close();
});

test('a change that the kernel refuses changes nothing, and only a resync goes on', async () => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  const change = delta({ endpoints: [endpointOf(handPod(5), { ingress: 'in-ffffffffffff' })] });
  await expect(kernel.apply(change, viewOf(SAMPLE))).rejects.toThrow(/resync/);
  await kernel.resync(viewOf(SAMPLE), GUARD);
  const generation = generationOf(netns);
  await expect(kernel.apply(change, viewOf(SAMPLE))).rejects.toMatchObject({ name: 'KernelError', code: 'io' });
  expect(generationOf(netns)).toBe(generation);
  await expect(kernel.apply(delta({}), viewOf(SAMPLE))).rejects.toThrow(/resync/);
  expect(await kernel.resync(viewOf(SAMPLE), GUARD)).toEqual(NOTHING);
  await kernel.apply(delta({}), viewOf(SAMPLE));
  kernel.close();
});

describe('counters', () => {
  const counted = async (kernel: PolicyKernel): Promise<[string, number][]> =>
    (await kernel.counters()).map(({ id, packets }): [string, number] => [id, packets]).sort();

  /** Of a table that was never there. */
  function load(netns: TestNetns, ...counters: readonly string[]): void {
    const lines = counters.map((counter) => `add counter inet canal-policy ${counter}`);
    netns.run(['nft', '-f', '-'], { stdin: ['add table inet canal-policy', ...lines].join('\n') });
  }

  test('of rules that are written go on from what they had; those that are kept stay, others go with the next look', async () => {
    using netns = createTestNetns('node');
    const kernel = createPolicyKernel({ netns: netns.path });
    expect(await kernel.counters()).toEqual([]);
    load(
      netns,
      `${COUNTERS.alone} { packets 5 bytes 500 }`,
      `${COUNTERS.kept} { packets 6 bytes 600 }`,
      `${COUNTERS.gone} { packets 7 bytes 700 }`,
    );
    const before = Date.now();
    await kernel.resync(viewOf(SAMPLE), GUARD);
    const after = [
      [COUNTERS.shared, 0],
      [COUNTERS.kept, 6],
      [COUNTERS.alone, 5],
      [COUNTERS.denied, 0],
      [COUNTERS.second, 0],
    ];
    expect(await counted(kernel)).toEqual(after);
    const readings = new Map((await kernel.counters()).map((reading) => [reading.id, reading]));
    expect(readings.get(COUNTERS.alone)).toEqual({ id: COUNTERS.alone, packets: 5, bytes: 500 });
    expect(readings.get(COUNTERS.shared)?.sinceMs).toBeGreaterThanOrEqual(before);
    expect(readings.get(COUNTERS.shared)?.sinceMs).toBeLessThanOrEqual(Date.now());
    expect(await kernel.resync(viewOf(SAMPLE), GUARD)).toEqual(NOTHING);

    // A chain that goes and comes again; what counted in it is asked for in between, as long as its rule is there.
    const [first, second, third, sixth] = SAMPLE.endpoints;
    if (!first || !second || !third || !sixth) throw new Error('four endpoints');
    const bare: HandRules = { ...SAMPLE, endpoints: [second], chains: [], sets: [] };
    await kernel.apply(
      delta({
        removedEndpoints: [first, third, sixth],
        removedChains: [IN_1, EG_1],
        removedSets: SAMPLE.sets.map(([set]) => set),
      }),
      viewOf(bare),
    );
    expect(await counted(kernel)).toEqual(after);
    const kept = viewOf({ ...bare, kept: [COUNTERS.alone] });
    expect(await kernel.resync(kept, GUARD)).toEqual(NOTHING);
    expect(await counted(kernel)).toEqual([[COUNTERS.alone, 5]]);
    await kernel.apply(
      delta({
        endpoints: [first, third, sixth],
        newChains: SAMPLE.chains,
        newSets: SAMPLE.sets.map(([set]) => set),
      }),
      viewOf(SAMPLE),
    );
    expect(await counted(kernel)).toEqual(after.filter(([id]) => id !== COUNTERS.kept));
    expect(await kernel.resync(viewOf(SAMPLE), GUARD)).toEqual(NOTHING);
    kernel.close();
  });

  test('go on when the table must be made anew', async () => {
    using netns = createTestNetns('node');
    const kernel = createPolicyKernel({ netns: netns.path });
    load(netns, `${COUNTERS.alone} { packets 5 bytes 500 }`, `${COUNTERS.kept} { packets 6 bytes 600 }`);
    await kernel.resync(viewOf(SAMPLE), GUARD);
    const inOrder = async () => [...(await kernel.counters())].sort((a, b) => (a.id < b.id ? -1 : 1));
    const before = await inOrder();
    expect(before.filter(({ sinceMs }) => sinceMs === undefined).map(({ packets }) => packets)).toEqual([6, 5]);
    netns.run(NFT('add table inet canal-policy { flags dormant ; }'));
    expect((await kernel.resync(viewOf(SAMPLE), GUARD)).differences).toEqual([
      'inet: the table has flags 1 and 0 objects that are not ours',
    ]);
    expect(await inOrder()).toEqual(before);
    kernel.close();
  });
});

const NFT = (command: string): string[] => ['nft', ...command.split(' ')];

const TAMPERINGS: readonly (readonly [string, readonly string[]])[] = [
  ['flush of all', ['flush ruleset']],
  ['deletion of the table', ['delete table inet canal-policy']],
  ['deletion of the arp table', ['delete table arp canal-policy']],
  ['deletion of a base chain', ['delete chain inet canal-policy judge']],
  ['deletion of rules of a static chain', ['flush chain inet canal-policy judge']],
  ['deletion of rules of a policy', [`flush chain inet canal-policy ${IN_1}`]],
  ['deletion of an element', ['delete element inet canal-policy owners4 { cnl00000000001 . 10.244.1.11 }']],
  ['deletion of a verdict', ['delete element inet canal-policy ingress4 { 10.244.1.11 }']],
  ['deletion of members', ['flush set inet canal-policy ad-000000000001-4']],
  ['deletion of a block', ['delete element inet canal-policy bl-000000000002-4 { 192.0.2.0/24 }']],
  ['deletion of a set', [`flush chain inet canal-policy ${EG_1}`, 'delete set inet canal-policy ap-000000000001-4']],
  ['deletion of the bridge table', ['delete table bridge canal-policy']],
  ['a foreign rule of the bridge', ['insert rule bridge canal-policy forward accept']],
  ['a foreign rule', ['insert rule inet canal-policy judge accept']],
  ['a foreign rule at an end', ['add rule arp canal-policy pod accept']],
  ['a foreign element', ['add element inet canal-policy ad-000000000001-4 { 9.9.9.9 }']],
  ['a foreign block', ['add element inet canal-policy bl-000000000001-6 { 3000::/16 }']],
  ['a foreign set', ['add set inet canal-policy foreign { type ipv4_addr ; }']],
  [
    'a foreign chain that is called',
    ['add chain inet canal-policy foreign', 'insert rule inet canal-policy judge jump foreign'],
  ],
  ['a foreign base chain', ['add chain inet canal-policy f { type filter hook forward priority 0 ; policy drop ; }']],
  [
    'another hook',
    [
      'delete chain inet canal-policy input',
      'add chain inet canal-policy input { type filter hook output priority 7 ; }',
    ],
  ],
  ['a policy of drop', ['add chain inet canal-policy judge { policy drop ; }']],
  ['a table that sleeps', ['add table inet canal-policy { flags dormant ; }']],
  ['a foreign counter', ['add counter inet canal-policy foreign']],
  [
    'a foreign counter in a rule',
    ['add counter inet canal-policy foreign', 'insert rule inet canal-policy judge counter name foreign'],
  ],
  ['a foreign quota', ['add quota inet canal-policy foreign over 1 bytes']],
  [
    'deletion of a counter',
    [`flush chain inet canal-policy ${IN_1}`, `delete counter inet canal-policy ${COUNTERS.denied}`],
  ],
  [
    'a set of another kind',
    [
      'flush chain inet canal-policy sample',
      'flush chain inet canal-policy tunnel-input',
      'flush chain inet canal-policy judge',
      'delete set inet canal-policy nodes4',
      'add set inet canal-policy nodes4 { type inet_service ; }',
    ],
  ],
  [
    'a set whose elements count',
    [
      'flush chain inet canal-policy tunnel-input',
      'flush chain inet canal-policy judge',
      'delete set inet canal-policy nodes4',
      'add set inet canal-policy nodes4 { type ipv4_addr ; counter ; }',
    ],
  ],
];

const repairs: string[] = [];
afterAll(() => {
  process.stdout.write(`\ntime from the tampering to the repair:\n${repairs.join('\n')}\n`);
});

test.each(TAMPERINGS)('repaired: %s', async (name, commands) => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  await kernel.resync(viewOf(SAMPLE), GUARD);
  const before = listing(netns);
  const stop = new AbortController();
  let done = 0;
  const events: PolicyKernelEvent[] = [];
  const repairing = (async () => {
    for await (const event of kernel.monitor(stop.signal)) {
      events.push(event);
      const { differences } = await kernel.resync(viewOf(SAMPLE), GUARD);
      if (differences.length > 0) done = performance.now();
    }
  })();
  await waitFor('the monitor', () => events.length === 1);
  for (const command of commands.slice(0, -1)) netns.run(NFT(command));
  netns.run(NFT(commands.at(-1) ?? ''));
  const begin = performance.now();
  await waitFor('repair', () => JSON.stringify(listing(netns)) === JSON.stringify(before));
  repairs.push(`${name.padEnd(40)} ${(done - begin).toFixed(1)} ms`);
  expect(done).toBeGreaterThan(begin);
  // What is promised of repairs, on a machine that does other things as well.
  expect(done - begin).toBeLessThan(1000);
  expect(events.slice(1).every(({ type }) => type === 'changed')).toBe(true);
  expect(events.length).toBeGreaterThan(1);
  stop.abort();
  await repairing;
  expect(await kernel.resync(viewOf(SAMPLE), GUARD)).toEqual(NOTHING);
  kernel.close();
});

test('an element that is found with a limit is repaired', async () => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  await kernel.resync(viewOf(SAMPLE), GUARD);
  const before = listing(netns);
  const set = { family: NFPROTO.INET, table: 'canal-policy', name: 'isolated-ingress4' };
  const key = ipToBytes(ip(handPod(1).ip4));
  using connection = createNetlinkConnection(() => netns.openSocket({ protocol: NETLINK_NETFILTER }));
  // nft itself refuses to say so of a set that was not declared with a limit.
  changeNftables(connection, [
    ...delNftElements(set, [{ key }]),
    ...newNftElements(set, [{ key, expression: limitRate({ rate: 1, per: 'second' }) }]),
  ]);
  expect((await kernel.resync(viewOf(SAMPLE), GUARD)).differences).toEqual([
    'inet: set isolated-ingress4: 1 elements missing, 1 foreign',
  ]);
  expect(listing(netns)).toEqual(before);
  kernel.close();
});

test('own changes and those of other tables are no event', async () => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  const stop = new AbortController();
  const events: PolicyKernelEvent[] = [];
  const watching = (async () => {
    for await (const event of kernel.monitor(stop.signal)) events.push(event);
  })();
  await waitFor('the monitor', () => events.length === 1);
  await kernel.resync(viewOf(SAMPLE), GUARD);
  await kernel.setGuard({ ...GUARD, allowSample: 0 });
  netns.run(NFT('add table ip canal-policy'));
  netns.run(NFT('add table inet other'));
  netns.run(NFT('add chain inet other canal-policy'));
  // Shows that the monitor listens.
  netns.run(NFT('add chain inet canal-policy foreign'));
  await waitFor('an event', () => events.length > 1);
  expect(events).toEqual([
    { type: 'resync' },
    { type: 'changed', what: expect.stringMatching(/^new chain foreign by nft \(process [0-9]+\)$/) as string },
  ]);
  stop.abort();
  await watching;
  kernel.close();
});

test('remove takes all of ours and nothing else', async () => {
  using netns = createTestNetns('node');
  netns.run(NFT('add table inet other'));
  const before = listing(netns);
  const kernel = createPolicyKernel({ netns: netns.path });
  expect(await kernel.remove()).toBe(false);
  await kernel.resync(viewOf(SAMPLE), GUARD);
  expect(listing(netns)).not.toEqual(before);
  expect(await kernel.remove()).toBe(true);
  expect(listing(netns)).toEqual(before);
  kernel.close();
  await expect(kernel.remove()).rejects.toMatchObject({ name: 'KernelError', code: 'closed' });
});
