/** Pods on a bridge that know each other's MACs, as all do that were there when policy was switched on. */
import {
  createPolicyWorld,
  createProber,
  makeBridge,
  type PolicyWorld,
  type Prober,
  type ProbeQuestion,
  waitFor,
  type WorldPod,
} from '@canal/testing';
import type { PolicyKernel } from '@canal/kernel-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { chain, endpointOf, GUARD, viewOf } from './testing/rules.ts';

const IN = 'in-00000000000a';
const FAMILIES = ['ip4', 'ip6'] as const;

let world: PolicyWorld;
let prober: Prober;
let kernel: PolicyKernel;
let a: WorldPod;
let b: WorldPod;

beforeEach(async () => {
  world = createPolicyWorld(2, 'bridge');
  prober = createProber();
  const [first, second] = world.pods;
  if (first === undefined || second === undefined) throw new Error('2');
  [a, b] = [first, second];
  for (const pod of world.pods) {
    for (const family of FAMILIES) await prober.listen(pod.netns, pod[family], { tcp: [80], udp: [53] });
  }
  kernel = createPolicyKernel({ netns: world.node.path });
});

afterEach(async () => {
  kernel.close();
  await prober[Symbol.asyncDispose]();
  world[Symbol.dispose]();
});

/** As after traffic between them: the state is the kernel's to age. */
function acquaint(): void {
  for (const [pod, other] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const family of FAMILIES) {
      const entry = [other[family], 'lladdr', other.mac, 'dev', 'eth0', 'nud', 'reachable'];
      pod.netns.run(['ip', 'neigh', 'replace', ...entry]);
    }
  }
}

/** MACs that the pod has of the other's addresses. */
function known(pod: WorldPod, other: WorldPod): (string | undefined)[] {
  const all = pod.netns.json(['ip', '-j', 'neigh', 'show', 'dev', 'eth0']) as { dst: string; lladdr?: string }[];
  return FAMILIES.map((family) => all.find(({ dst }) => dst === other[family])?.lladdr);
}

function questions(from: WorldPod, to: WorldPod): ProbeQuestion[] {
  return FAMILIES.flatMap((family): ProbeQuestion[] => {
    const ends = { from: from.netns, source: from[family], target: to[family] };
    return [
      { ...ends, protocol: 'tcp', port: 80 },
      { ...ends, protocol: 'udp', port: 53 },
      { ...ends, protocol: 'icmp' },
    ];
  });
}

test.each([0, 1])(
  'reach each other at once, by the node, and are judged there (bridge-nf-call %i)',
  async (call) => {
    world.node.run(['sysctl', '-qw', ...['ip', 'ip6'].map((ip) => `net.bridge.bridge-nf-call-${ip}tables=${call}`)]);
    acquaint();
    await kernel.resync(viewOf({ endpoints: [a, b].map((pod) => endpointOf(pod, { mode: 'bridge' })) }), GUARD);
    const both = [...questions(a, b), ...questions(b, a)];
    expect(await prober.probe(both, 500)).toEqual(both.map(() => 'open'));
    // It was not that they have learned otherwise.
    expect([...known(a, b), ...known(b, a)]).toEqual([b.mac, b.mac, a.mac, a.mac]);

    const isolated = endpointOf(b, { mode: 'bridge', ingress: IN });
    await kernel.resync(
      viewOf({ endpoints: [endpointOf(a, { mode: 'bridge' }), isolated], chains: [chain(IN)] }),
      GUARD,
    );
    world.node.run(['conntrack', '-F']);
    expect(await prober.probe(questions(a, b))).toEqual(questions(a, b).map(() => 'closed'));
    expect(await prober.probe(questions(b, a), 500)).toEqual(questions(b, a).map(() => 'open'));
    expect(known(a, b)).toEqual([b.mac, b.mac]);
  },
  30_000,
);

test('the counter-proof: without what leads their frames to the node they miss each other', async () => {
  acquaint();
  await kernel.resync(viewOf({ endpoints: [a, b].map((pod) => endpointOf(pod, { mode: 'bridge' })) }), GUARD);
  world.node.run(['nft', 'flush', 'chain', 'bridge', 'canal-policy', 'to-node']);
  expect(await prober.probe(questions(a, b))).toEqual(questions(a, b).map(() => 'closed'));
});

test('a pod that sends to the MAC of another has no address but its own', async () => {
  await kernel.resync(viewOf({ endpoints: [a, b].map((pod) => endpointOf(pod, { mode: 'bridge' })) }), GUARD);
  const frame = (source: string, port: number) =>
    ({
      from: a.netns,
      device: 'eth0',
      sourceMac: a.mac,
      destinationMac: b.mac,
      packet: { source, destination: b.ip4, protocol: 'udp', sourcePort: 7, port },
    }) as const;
  const [seen = []] = await prober.inject([frame(a.ip4, 98), frame('10.244.1.99', 99)], [b.netns]);
  expect(seen.filter(({ port }) => port === 98 || port === 99).map(({ port }) => port)).toEqual([98]);
});

test('the MAC that frames are led to is that of the bridge, also when it changes', async () => {
  acquaint();
  const view = viewOf({ endpoints: [a, b].map((pod) => endpointOf(pod, { mode: 'bridge' })) });
  await kernel.resync(view, GUARD);
  world.node.run(['ip', 'link', 'set', 'cni0', 'address', '0a:58:0a:f4:01:77']);
  expect((await kernel.resync(view, GUARD)).writes).toBeGreaterThan(0);
  expect(await kernel.resync(view, GUARD)).toMatchObject({ writes: 0, differences: [] });
  expect(await prober.probe(questions(a, b), 500)).toEqual(questions(a, b).map(() => 'open'));
});

test('a bridge that is made anew with another MAC: pods miss each other until the kernel is told of it', async () => {
  acquaint();
  await kernel.resync(viewOf({ endpoints: [a, b].map((pod) => endpointOf(pod, { mode: 'bridge' })) }), GUARD);
  world.node.run(['ip', 'link', 'del', 'cni0']);
  makeBridge(world);
  const all = [...questions(a, b), ...questions(b, a)];
  expect(await prober.probe(all)).toEqual(all.map(() => 'closed'));
  await kernel.setGuard(GUARD);
  await waitFor('the way by the new bridge', async () => {
    return (await prober.probe(all, 500)).every((answer) => answer === 'open');
  });
  expect(known(a, b)).toEqual([b.mac, b.mac]);
});
