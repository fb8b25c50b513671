/**
 * Ports that are no pods' of ours. One on the pods' bridge (a pod that another plugin attached) speaks for itself alone.
 * Those of another bridge have an address space of their own, in which an address of our pods is somebody else's.
 */
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
  type ProbeQuestion,
  REMOTE_POD,
  type TestNetns,
  waitFor,
  type WorldPod,
} from '@canal/testing';
import type { PolicyKernel } from '@canal/kernel-port';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { addresses, chain, endpointOf, GUARD, viewOf } from './testing/rules.ts';

const IN = 'in-00000000000a';
const FAMILIES = ['ip4', 'ip6'] as const;
const OWN = { ip4: '10.244.1.50', ip6: 'fd00:10:244:1::50' } as const;
const PEER = { ip4: '10.244.1.51', ip6: 'fd00:10:244:1::51' } as const;
const MAC = '02:00:00:00:05:00';
const MACHINE_MAC = '02:00:00:00:06:00';
const PEER_MAC = '02:00:00:00:07:00';
const BRIDGE_MAC = '02:00:00:00:01:00';

let world: PolicyWorld;
let prober: Prober;
let kernel: PolicyKernel;
let a: WorldPod;
let b: WorldPod;
/** On cni0. */
let other: TestNetns;
/** Two on another bridge, br1. The machine has the addresses of pod a. */
let machine: TestNetns;
let peer: TestNetns;
const resources = new DisposableStack();

beforeAll(async () => {
  world = resources.use(createPolicyWorld(2, 'bridge'));
  const { node, far } = world;
  const [first, second] = world.pods;
  if (first === undefined || second === undefined) throw new Error('2');
  [a, b] = [first, second];
  // Nothing but the rules refuses what is forged.
  node.run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.cni0.rp_filter=0']);
  node.run(['ip', 'link', 'add', 'br1', 'address', BRIDGE_MAC, 'up', 'type', 'bridge', 'mcast_snooping', '0']);
  node.run(['sysctl', '-qw', 'net.ipv4.conf.br1.rp_filter=0']);
  const plug = (label: string, port: string, mac: string, has: typeof OWN | typeof PEER | WorldPod): TestNetns => {
    const netns = resources.use(createTestNetns(label));
    netns.run(['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']);
    const held = [`${has.ip4}/24`, `${has.ip6}/64`];
    connectNetns({ netns: node, name: port }, { netns, name: 'eth0', addresses: held });
    netns.run(['ip', 'link', 'set', 'eth0', 'address', mac]);
    return netns;
  };
  other = plug('other', 'veth5', MAC, OWN);
  machine = plug('machine', 'veth6', MACHINE_MAC, a);
  peer = plug('peer', 'veth7', PEER_MAC, PEER);
  for (const port of ['veth6', 'veth7']) node.run(['ip', 'link', 'set', port, 'master', 'br1']);
  node.run(['ip', 'link', 'set', 'veth5', 'master', 'cni0']);
  other.run(['ip', 'route', 'add', 'default', 'via', '10.244.1.1']);
  other.run(['ip', '-6', 'route', 'add', 'default', 'via', 'fd00:10:244:1::1']);
  prober = createProber();
  for (const family of FAMILIES) {
    await prober.listen(far, OUTSIDE[family], { tcp: [80] });
    await prober.listen(node, NODE[family], { udp: [99] });
    await prober.listen(machine, a[family], { tcp: [80], udp: [53] });
    await prober.listen(peer, PEER[family], { tcp: [80], udp: [53] });
  }
  kernel = createPolicyKernel({ netns: node.path });
});

afterAll(async () => {
  kernel.close();
  await prober[Symbol.asyncDispose]();
  resources.dispose();
});

/** Whatever a test has taken out is there again. */
beforeEach(async () => {
  world.node.run(['conntrack', '-F']);
  await kernel.resync(RULES(), GUARD);
});

/** Pod b takes what the first pod sends, and a pod of another node. */
const RULES = (mode: PodMode = 'bridge') =>
  viewOf({
    endpoints: [endpointOf(a, { mode }), endpointOf(b, { mode: 'bridge', ingress: IN })],
    chains: [chain(IN, { peer: { type: 'addresses', set: 'ad-00000000000a' }, ports: 'any' })],
    sets: [addresses('ad-00000000000a', a.ip4, a.ip6, REMOTE_POD.ip4, REMOTE_POD.ip6)],
  });

const nft = (...words: string[]): string => world.node.run(['nft', ...words]);
const trustAnyPort = (): string => nft('flush', 'chain', 'bridge', 'canal-policy', 'other-port');

function callIptables(value: 0 | 1): void {
  world.node.run(['sysctl', '-qw', ...['ip', 'ip6'].map((ip) => `net.bridge.bridge-nf-call-${ip}tables=${value}`)]);
}

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

/** The node takes a packet from each of these frames. */
const FRAMES_TO_NODE = [
  ['to the bridge', 'cni0', ''],
  ['to the bridge, tagged with number 0', 'cni0', '81000000'],
  ['to the bridge, tagged twice with number 0', 'cni0', '8100000081000000'],
  ['to the bridge, tagged by the provider and again', 'cni0', '88a8000081000000'],
  ['to the bridge, tagged by providers twice', 'cni0', '88a8000088a80000'],
  ['to the bridge, tagged three times', 'cni0', '810000008100000081000000'],
  ['to all', 'ff:ff:ff:ff:ff:ff', ''],
  ['to all, tagged with number 0', 'ff:ff:ff:ff:ff:ff', '81000000'],
  ['to all, tagged twice', 'ff:ff:ff:ff:ff:ff', '8100000081000000'],
  ['to a group', '01:00:5e:00:00:01', ''],
  ['to its own port, which is the bridge too', 'veth5', ''],
  ['to another bridge', 'br1', ''],
  ['to another bridge, tagged with number 0', 'br1', '81000000'],
  ['to its own port of another bridge', 'veth6', ''],
] as const;

describe.each([0, 1] as const)('with bridge-nf-call %i', (call) => {
  beforeAll(() => {
    callIptables(call);
  });

  test.each([
    ['a pod of this node', () => a, 'bridge'],
    ['a routed pod of this node', () => a, 'routed'],
    ['a pod of another node', () => REMOTE_POD, 'bridge'],
  ] as const)('a port of cni0 has not the address of %s', async (_, victim, mode) => {
    const arrived = (): Promise<number> => arrivedOf(victim(), a.hostMac);
    await kernel.resync(RULES(mode), GUARD);
    expect(await arrived()).toBe(0);
    // The counter-proof: as if any port of the bridge could be trusted.
    nft('insert', 'rule', 'inet', 'canal-policy', 'from-bridge', 'accept');
    trustAnyPort();
    world.node.run(['conntrack', '-F']);
    await waitFor('both packets where any port is trusted', async () => (await arrived()) >= 2);
  });

  test.each(FRAMES_TO_NODE)(
    'no port has the address of a pod towards the node, in a frame %s',
    async (_, destination, tags) => {
      const links = world.node.json(['ip', '-j', 'link', 'show']) as { ifname: string; address: string }[];
      const macs = new Map(links.map(({ ifname, address }) => [ifname, address]));
      const isElsewhere = destination === 'br1' || destination === 'veth6';
      const forged = FAMILIES.map((family): Injection => ({
        from: isElsewhere ? machine : other,
        device: 'eth0',
        sourceMac: isElsewhere ? MACHINE_MAC : MAC,
        destinationMac: macs.get(destination) ?? destination,
        tags,
        packet: { source: a[family], destination: NODE[family], protocol: 'udp', sourcePort: 7, port: 99 },
      }));
      /** The node answers the pod. */
      const answers = async (): Promise<number> => {
        const [seen = []] = await prober.inject(forged, [a.netns], 100);
        return seen.filter(({ sourcePort }) => sourcePort === 99).length;
      };
      expect(await answers()).toBe(0);
      trustAnyPort();
      await waitFor('both answers where any port is trusted', async () => (await answers()) >= 2);
    },
  );

  test('a port of cni0 has its own address', async () => {
    const questions = FAMILIES.map((family) => {
      return { from: other, source: OWN[family], target: OUTSIDE[family], protocol: 'tcp', port: 80 } as const;
    });
    expect(await prober.probe(questions, 1000)).toEqual(['open', 'open']);
  });

  test('another bridge carries what a machine with the address of a pod says and hears, and no policy is asked', async () => {
    const isolated = endpointOf(a, { mode: 'bridge', ingress: 'in-00000000000b', egress: 'eg-00000000000b' });
    const chains = [chain('in-00000000000b'), chain('eg-00000000000b')];
    await kernel.resync(viewOf({ endpoints: [isolated], chains }), GUARD);
    const questions = FAMILIES.flatMap((family) =>
      [
        { from: machine, source: a[family], target: PEER[family] },
        { from: peer, source: PEER[family], target: a[family] },
      ].flatMap((ends): ProbeQuestion[] => [
        { ...ends, protocol: 'tcp', port: 80 },
        { ...ends, protocol: 'udp', port: 53 },
        { ...ends, protocol: 'icmp' },
      ]),
    );
    expect(await prober.probe(questions, 5000)).toEqual(questions.map(() => 'open'));
    const toAll = FAMILIES.map((family): Injection => ({
      from: machine,
      device: 'eth0',
      sourceMac: MACHINE_MAC,
      destinationMac: 'ff:ff:ff:ff:ff:ff',
      packet: { source: a[family], destination: PEER[family], protocol: 'udp', sourcePort: 7, port: 99 },
    }));
    await waitFor('both frames to all', async () => {
      const [seen = []] = await prober.inject(toAll, [peer]);
      return seen.filter(({ port }) => port === 99).length === 2;
    });
    // Nothing of it is a flow of the pod.
    const flows = (): string =>
      FAMILIES.flatMap((family) =>
        ['-s', '-d'].map((side) => world.node.run(['conntrack', '-L', '-f', ipOf(family), side, a[family]])),
      ).join('');
    expect(flows()).toBe('');
  });

  test.each([
    ['one tag', '81000064'],
    ['two tags', '81000064810000c8'],
    ['two tags, of provider and customer', '88a80064810000c8'],
  ])('another bridge carries frames with %s as before', async (_, tags) => {
    const taken = (): number => {
      const [link] = peer.json(['ip', '-j', '-s', 'link', 'show', 'eth0']) as {
        stats64: { rx: { packets: number } };
      }[];
      return link?.stats64.rx.packets ?? Number.NaN;
    };
    const before = taken();
    const packet = { source: a.ip4, destination: PEER.ip4, protocol: 'udp', sourcePort: 7, port: 99 } as const;
    const link = { device: 'eth0', sourceMac: MACHINE_MAC, destinationMac: PEER_MAC, tags } as const;
    await prober.inject([{ from: machine, ...link, packet, count: 100 }], []);
    await waitFor('all of them', () => taken() >= before + 100);
  });
});

describe('with bridge-nf-call 1 conntrack sees a frame before it is dropped, or not handed up at all, and', () => {
  beforeAll(() => {
    callIptables(1);
  });

  test.each<[string, 'cni0' | 'br1', () => string]>([
    ['to the bridge', 'cni0', () => a.hostMac],
    ['to nobody', 'cni0', () => '02:00:00:00:09:99'],
    ['to another pod', 'cni0', () => b.mac],
    ['to all', 'cni0', () => 'ff:ff:ff:ff:ff:ff'],
    ['to another bridge', 'br1', () => BRIDGE_MAC],
    ['across another bridge', 'br1', () => PEER_MAC],
    ['to all of another bridge', 'br1', () => 'ff:ff:ff:ff:ff:ff'],
  ])('a forged RST %s ends no connection of a pod', async (name, bridge, to) => {
    const [from, sourceMac] = bridge === 'cni0' ? [other, MAC] : [machine, MACHINE_MAC];
    for (const family of FAMILIES) {
      const flow = `${name} ${family}`;
      const ends = { source: a[family], protocol: 'tcp', port: 80 } as const;
      expect(await prober.open(flow, { from: a.netns, target: OUTSIDE[family], ...ends })).toBe('open');
      const entry = (): string =>
        world.node.run(['conntrack', '-L', '-f', ipOf(family), '-p', 'tcp', '-s', a[family], '-d', OUTSIDE[family]]);
      const sourcePort = Number(/ sport=(\d+)/.exec(entry())?.[1]);
      const sequence = await prober.sequence(flow);
      const reset = { ...ends, destination: OUTSIDE[family], sourcePort, flags: 'R', sequence } as const;
      const forged = { from, device: 'eth0', sourceMac, destinationMac: to(), packet: reset } as const;
      await prober.inject([forged], []);
      expect(entry()).toContain('ESTABLISHED');
      expect(await prober.talk(flow, 5000)).toBe(true);
      // The counter-proof: as if conntrack were shown everything.
      nft('insert', 'rule', 'inet', 'canal-policy', 'guard', 'meta iifkind "bridge"', 'accept');
      nft('flush', 'chain', 'bridge', 'canal-policy', 'guard');
      await prober.inject([{ ...forged, packet: { ...reset, sequence: await prober.sequence(flow) } }], []);
      await waitFor('the RST to count', () => entry().includes('CLOSE'));
      await kernel.resync(RULES(), GUARD);
    }
  });
});

describe('a bridge whose MAC the rules do not know', () => {
  afterEach(() => {
    world.node.run(['ip', 'link', 'del', 'cni0']);
    makeBridge(world, a.hostMac);
    world.node.run(['ip', 'link', 'set', 'veth5', 'master', 'cni0']);
  });

  test.each(['that came after the rules', 'that was made anew after them'])(
    'brings from no port the address of a pod: one %s',
    async (which) => {
      if (which === 'that came after the rules') {
        world.node.run(['ip', 'link', 'set', 'cni0', 'name', 'later']);
        await kernel.resync(RULES(), GUARD);
      }
      world.node.run(['ip', 'link', 'del', which === 'that came after the rules' ? 'later' : 'cni0']);
      const mac = makeBridge(world);
      world.node.run(['ip', 'link', 'set', 'veth5', 'master', 'cni0']);
      world.node.run(['sysctl', '-qw', 'net.ipv4.conf.cni0.rp_filter=0']);
      expect(await arrivedOf(a, mac)).toBe(0);
      trustAnyPort();
      world.node.run(['conntrack', '-F']);
      await waitFor('both packets where any port is trusted', async () => (await arrivedOf(a, mac)) >= 2);
    },
  );
});

function ipOf(family: (typeof FAMILIES)[number]): string {
  return family === 'ip4' ? 'ipv4' : 'ipv6';
}
