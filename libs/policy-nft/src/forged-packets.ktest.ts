/** Packets that look like what the rules always let through. Each is sent again without the tables, and then comes. */
import type { PolicyKernel } from '@canal/kernel-port';
import {
  type CraftedPacket,
  createPolicyWorld,
  createProber,
  NODE,
  OUTSIDE,
  type PodMode,
  type PolicyWorld,
  type Prober,
  REMOTE_POD,
  type SeenPacket,
  type TestNetns,
  type WorldPod,
} from '@canal/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { addresses, chain, endpointOf, ip, viewOf } from './testing/rules.ts';

const IN = 'in-00000000000a';
const EG = 'eg-00000000000a';
const GUARD = { nodeAddresses: [ip(NODE.ip4), ip(NODE.ip6)], tunnelPorts: [8472], allowSample: 0 };

let world: PolicyWorld;
let prober: Prober;
let kernel: PolicyKernel;
/** Isolated in both directions, and nothing is allowed. */
let a: WorldPod;
/** Not isolated; `a` lets it in where a test says so. */
let b: WorldPod;

describe.each(['routed', 'bridge'] as const)('pods %s', (mode: PodMode) => {
  beforeAll(() => {
    world = createPolicyWorld(2, mode);
    prober = createProber();
    [a, b] = world.pods as [WorldPod, WorldPod];
    // As most distributions have it: else Linux itself refuses some of these packets of IPv4.
    for (const name of ['all', 'default', 'eth0', a.hostInterface])
      world.node.run(['sysctl', '-qw', `net.ipv4.conf.${name}.rp_filter=0`]);
  });

  afterAll(async () => {
    await prober[Symbol.asyncDispose]();
    world[Symbol.dispose]();
  });

  async function isolate(): Promise<void> {
    const endpoints = [endpointOf(a, { mode, ingress: IN, egress: EG })];
    await kernel.resync(viewOf({ endpoints, chains: [chain(IN), chain(EG)] }), GUARD);
  }

  beforeEach(async () => {
    kernel = createPolicyKernel({ netns: world.node.path });
    await isolate();
  });

  afterEach(async () => {
    await kernel.remove();
    kernel.close();
    world.node.run(['conntrack', '-F']);
  });

  /** What came with the rules, and what without. */
  async function arrivals(
    from: TestNetns,
    packets: readonly CraftedPacket[],
    to: TestNetns,
    isIt: (packet: SeenPacket) => boolean,
  ): Promise<[number, number]> {
    const count = async (): Promise<number> => {
      const injections = packets.map((packet) => ({ from, packet }));
      const [seen = []] = await prober.inject(injections, [to]);
      return seen.filter(isIt).length;
    };
    const guarded = await count();
    await kernel.remove();
    world.node.run(['conntrack', '-F']);
    return [guarded, await count()];
  }

  // Router advertisements and redirects a pod may not send at all.
  const ND_TYPES = [130, 131, 132, 133, 135, 136, 143];
  const nd = (source: string, destination: string): CraftedPacket[] =>
    ND_TYPES.map((type) => ({ source, destination, protocol: 'icmp', type, body: '00'.repeat(36) }));

  test('neighbour messages carry nothing beyond a link: out of an isolated pod, and to one', async () => {
    const isOut = ({ type, destination }: SeenPacket): boolean =>
      destination === OUTSIDE.ip6 && ND_TYPES.includes(type ?? 0);
    expect(await arrivals(a.netns, nd(a.ip6, OUTSIDE.ip6), world.far, isOut)).toEqual([0, ND_TYPES.length]);
    await isolate();
    const isIn = ({ type, source }: SeenPacket): boolean => source === REMOTE_POD.ip6 && ND_TYPES.includes(type ?? 0);
    expect(await arrivals(world.far, nd(REMOTE_POD.ip6, a.ip6), a.netns, isIn)).toEqual([0, ND_TYPES.length]);
  });

  test('a source that is the pod itself helps nobody from outside', async () => {
    const forged = (['ip4', 'ip6'] as const).map((family): CraftedPacket => {
      return { source: a[family], destination: a[family], protocol: 'udp', port: 5353 };
    });
    expect(await arrivals(world.far, forged, a.netns, ({ port }) => port === 5353)).toEqual([0, 2]);
  });

  test('the address of a pod of this node helps nobody from outside, and its owner is let in', async () => {
    const friends = addresses('ad-00000000000f', b.ip4, b.ip6);
    const letIn = chain(IN, { peer: { type: 'addresses', set: friends[0].id }, ports: 'any' });
    const endpoints = [endpointOf(a, { mode, ingress: IN, egress: EG }), endpointOf(b, { mode })];
    await kernel.resync(viewOf({ endpoints, chains: [letIn, chain(EG)], sets: [friends] }), GUARD);
    const asFriend = (['ip4', 'ip6'] as const).map((family): CraftedPacket => {
      return { source: b[family], destination: a[family], protocol: 'udp', port: 5354 };
    });
    const [own = []] = await prober.inject(
      asFriend.map((packet) => ({ from: b.netns, packet })),
      [a.netns],
    );
    expect(own.filter(({ port }) => port === 5354)).toHaveLength(2);
    expect(await arrivals(world.far, asFriend, a.netns, ({ port }) => port === 5354)).toEqual([0, 2]);
  });
});
