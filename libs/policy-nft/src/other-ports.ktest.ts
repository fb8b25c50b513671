/** A port of the bridge that is nobody's of ours: a pod that another plugin attached. It speaks for itself alone. */
import {
  connectNetns,
  createPolicyWorld,
  createProber,
  createTestNetns,
  type Injection,
  makeBridge,
  NODE,
  OUTSIDE,
  type PodMode,
  type PolicyWorld,
  type Prober,
  REMOTE_POD,
  type TestNetns,
  waitFor,
  type WorldPod,
} from '@canal/testing';
import type { PolicyKernel } from '@canal/kernel-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { addresses, chain, endpointOf, GUARD, viewOf } from './testing/rules.ts';

const IN = 'in-00000000000a';
const FAMILIES = ['ip4', 'ip6'] as const;
const OWN = { ip4: '10.244.1.50', ip6: 'fd00:10:244:1::50' } as const;
const MAC = '02:00:00:00:05:00';

let world: PolicyWorld;
let other: TestNetns;
let prober: Prober;
let kernel: PolicyKernel;
let a: WorldPod;
let b: WorldPod;

beforeEach(async () => {
  world = createPolicyWorld(2, 'bridge');
  other = createTestNetns('other');
  const [first, second] = world.pods;
  if (first === undefined || second === undefined) throw new Error('2');
  [a, b] = [first, second];
  connectNetns(
    { netns: world.node, name: 'veth5' },
    { netns: other, name: 'eth0', addresses: [`${OWN.ip4}/24`, `${OWN.ip6}/64`] },
  );
  other.run(['ip', 'link', 'set', 'eth0', 'address', MAC]);
  world.node.run(['ip', 'link', 'set', 'veth5', 'master', 'cni0']);
  other.run(['ip', 'route', 'add', 'default', 'via', '10.244.1.1']);
  other.run(['ip', '-6', 'route', 'add', 'default', 'via', 'fd00:10:244:1::1']);
  prober = createProber();
  for (const family of FAMILIES) await prober.listen(world.far, OUTSIDE[family], { tcp: [80] });
  kernel = createPolicyKernel({ netns: world.node.path });
});

afterEach(async () => {
  kernel.close();
  await prober[Symbol.asyncDispose]();
  other[Symbol.dispose]();
  world[Symbol.dispose]();
});

/** Pod b takes what the first pod sends, and a pod of another node. */
const RULES = (mode: PodMode = 'bridge') =>
  viewOf({
    endpoints: [endpointOf(a, { mode }), endpointOf(b, { mode: 'bridge', ingress: IN })],
    chains: [chain(IN, { peer: { type: 'addresses', set: 'ad-00000000000a' }, ports: 'any' })],
    sets: [addresses('ad-00000000000a', a.ip4, a.ip6, REMOTE_POD.ip4, REMOTE_POD.ip6)],
  });

/** Packets with that source to pod b that reach it, by IPv4 and by IPv6. */
async function arrivedOf(source: Readonly<Record<'ip4' | 'ip6', string>>, bridgeMac: string): Promise<number> {
  const forged = FAMILIES.map((family): Injection => ({
    from: other,
    device: 'eth0',
    sourceMac: MAC,
    destinationMac: bridgeMac,
    packet: { source: source[family], destination: b[family], protocol: 'udp', sourcePort: 7, port: 99 },
  }));
  const [seen = []] = await prober.inject(forged, [b.netns]);
  return seen.filter(({ port }) => port === 99).length;
}

test.each([
  ['a pod of this node', () => a, 'bridge'],
  ['a routed pod of this node', () => a, 'routed'],
  ['a pod of another node', () => REMOTE_POD, 'bridge'],
] as const)('it has not the address of %s', async (_, victim, mode) => {
  // Nothing but the rules refuses it.
  world.node.run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.cni0.rp_filter=0']);
  const arrived = (): Promise<number> => arrivedOf(victim(), a.hostMac);
  await kernel.resync(RULES(mode), GUARD);
  expect(await arrived()).toBe(0);
  // The counter-proof: as if any port of the bridge could be trusted.
  world.node.run(['nft', 'insert', 'rule', 'inet', 'canal-policy', 'from-bridge', 'accept']);
  world.node.run(['nft', 'flush', 'chain', 'bridge', 'canal-policy', 'other-port']);
  world.node.run(['conntrack', '-F']);
  await waitFor('both packets where any port is trusted', async () => (await arrived()) >= 2);
});

test.each(['that came after the rules', 'that was made anew after them'])(
  'it has not the address of a pod by a bridge %s, whose MAC they do not know',
  async (which) => {
    if (which === 'that came after the rules') world.node.run(['ip', 'link', 'set', 'cni0', 'name', 'later']);
    await kernel.resync(RULES(), GUARD);
    world.node.run(['ip', 'link', 'del', which === 'that came after the rules' ? 'later' : 'cni0']);
    const mac = makeBridge(world);
    world.node.run(['ip', 'link', 'set', 'veth5', 'master', 'cni0']);
    world.node.run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.cni0.rp_filter=0']);
    expect(await arrivedOf(a, mac)).toBe(0);
    world.node.run(['nft', 'flush', 'chain', 'bridge', 'canal-policy', 'other-port']);
    world.node.run(['conntrack', '-F']);
    await waitFor('both packets where any port is trusted', async () => (await arrivedOf(a, mac)) >= 2);
  },
);

/** By each of these frames the node takes a packet. */
test.each([
  ['to the bridge', 'cni0', ''],
  ['to the bridge, tagged with number 0', 'cni0', '81000000'],
  ['to the bridge, tagged twice with number 0', 'cni0', '8100000081000000'],
  ['to the bridge, tagged by the provider and again', 'cni0', '88a8000081000000'],
  ['to the bridge, tagged by providers twice', 'cni0', '88a8000088a80000'],
  ['to the bridge, tagged three times', 'cni0', '810000008100000081000000'],
  ['to all', 'ff:ff:ff:ff:ff:ff', ''],
  ['to all, tagged twice', 'ff:ff:ff:ff:ff:ff', '8100000081000000'],
  ['to a group', '01:00:5e:00:00:01', ''],
  ['to its own port, which is the bridge too', 'veth5', ''],
] as const)('it has not the address of a pod towards the node, in a frame %s', async (_, destination, tags) => {
  world.node.run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.cni0.rp_filter=0']);
  const links = world.node.json(['ip', '-j', 'link', 'show']) as { ifname: string; address: string }[];
  const macs = new Map(links.map(({ ifname, address }) => [ifname, address]));
  for (const family of FAMILIES) await prober.listen(world.node, NODE[family], { udp: [99] });
  const forged = FAMILIES.map((family): Injection => ({
    from: other,
    device: 'eth0',
    sourceMac: MAC,
    destinationMac: macs.get(destination) ?? destination,
    tags,
    packet: { source: a[family], destination: NODE[family], protocol: 'udp', sourcePort: 7, port: 99 },
  }));
  /** The node answers the pod. */
  const answers = async (): Promise<number> => {
    const [seen = []] = await prober.inject(forged, [a.netns], 100);
    return seen.filter(({ sourcePort }) => sourcePort === 99).length;
  };
  await kernel.resync(RULES(), GUARD);
  expect(await answers()).toBe(0);
  world.node.run(['nft', 'flush', 'chain', 'bridge', 'canal-policy', 'other-port']);
  await waitFor('both answers where any port is trusted', async () => (await answers()) >= 2);
});

test('it has its own', async () => {
  await kernel.resync(RULES(), GUARD);
  const questions = FAMILIES.map((family) => {
    return { from: other, source: OWN[family], target: OUTSIDE[family], protocol: 'tcp', port: 80 } as const;
  });
  expect(await prober.probe(questions, 1000)).toEqual(['open', 'open']);
});

test.each([
  ['one tag', '81000064'],
  ['two tags', '81000064810000c8'],
  ['two tags, of provider and customer', '88a80064810000c8'],
])('another bridge of the node carries frames with %s as before', async (_, tags) => {
  using there = createTestNetns('there');
  world.node.run(['ip', 'link', 'add', 'br1', 'up', 'type', 'bridge']);
  for (const [netns, name] of [
    [other, 'veth6'],
    [there, 'veth7'],
  ] as const) {
    connectNetns({ netns: world.node, name }, { netns, name: 'eth1', addresses: [] });
    world.node.run(['ip', 'link', 'set', name, 'master', 'br1']);
  }
  there.run(['ip', 'link', 'set', 'eth1', 'address', '02:00:00:00:07:00']);
  const taken = (): number => {
    const [link] = there.json(['ip', '-j', '-s', 'link', 'show', 'eth1']) as { stats64: { rx: { packets: number } } }[];
    return link?.stats64.rx.packets ?? Number.NaN;
  };
  await kernel.resync(RULES(), GUARD);
  const before = taken();
  const packet = { source: OWN.ip4, destination: '10.244.1.51', protocol: 'udp', sourcePort: 7, port: 99 } as const;
  const link = { device: 'eth1', sourceMac: MAC, destinationMac: '02:00:00:00:07:00', tags } as const;
  await prober.inject([{ from: other, ...link, packet, count: 100 }], []);
  await waitFor('all of them', () => taken() >= before + 100);
});
