/**
 * A kernel without the arp or the bridge family of nf_tables. In all that we ask of it the family is one that no kernel
 * has, or the type of its chains is; so the answers are the kernel's own.
 */
import type { PolicyKernel } from '@canal/kernel-port';
import type * as linuxFfi from '@canal/linux-ffi';
import { NETLINK_NETFILTER, openNetlinkConnection } from '@canal/linux-ffi';
import {
  createPolicyWorld,
  createProber,
  createTestNetns,
  NODE,
  OTHER_NODE,
  OUTSIDE,
  type PodMode,
  type PolicyWorld,
  type Prober,
  type ProbeQuestion,
  type TestNetns,
} from '@canal/testing';
import { getNftGeneration, type NetlinkTransport, NFPROTO } from 'netlink-ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { chain, endpointOf, type HandRules, viewOf } from './testing/rules.ts';
import { handPod, SAMPLE, SAMPLE_GUARD } from './testing/sample-rules.ts';

const WAYS = ['not compiled in', 'without its module'] as const;

const lacking = vi.hoisted(() => new Map<number, 'not compiled in' | 'without its module'>());

vi.mock('@canal/linux-ffi', async (original) => {
  const real = await original<typeof linuxFfi>();
  const { createNetlinkConnection } = await import('netlink-ts');
  const NFTABLES = 10;
  /** Nobody's number. */
  const NO_FAMILY = 4;
  const TYPE = new TextEncoder().encode('filter\0');

  /** Messages: length, type (two bytes), flags, sequence, port, family. */
  function withoutFamilies(datagram: Uint8Array): Uint8Array {
    const bytes = datagram.slice();
    const view = new DataView(bytes.buffer);
    for (let at = 0, length = 0; at + 20 <= bytes.length; at += (length + 3) & ~3) {
      length = view.getUint32(at, true);
      const lack = lacking.get(bytes[at + 16] ?? 0);
      if (lack === undefined || view.getUint16(at + 4, true) >>> 8 !== NFTABLES) continue;
      const type = Buffer.from(bytes.buffer, at, length).indexOf(TYPE);
      if (lack === 'not compiled in') bytes[at + 16] = NO_FAMILY;
      else if (type >= 0) bytes.set(new TextEncoder().encode('absent'), at + type);
    }
    return bytes;
  }

  const openKnownConnection: typeof real.openKnownConnection = (options) => {
    const ports = new Set<number>();
    const open = (): NetlinkTransport => {
      const socket = real.openNetlinkSocket(options);
      const { portId, sendBufferBytes, receiveBufferBytes } = socket;
      ports.add(portId);
      return {
        portId,
        sendBufferBytes,
        receiveBufferBytes,
        send: (datagram) => socket.send(withoutFamilies(datagram)),
        receive: () => socket.receive(),
        [Symbol.dispose]: () => socket[Symbol.dispose](),
      };
    };
    return { connection: createNetlinkConnection(open), isOwnPort: (port) => ports.has(port) };
  };
  return { ...real, openKnownConnection };
});

const GUARD = SAMPLE_GUARD;
const NOTHING = { writes: 0, differences: [] };
const ROUTED: HandRules = { ...SAMPLE, endpoints: SAMPLE.endpoints.filter(({ mode }) => mode === 'routed') };

const tables = (netns: TestNetns): string[] => netns.run(['nft', 'list', 'tables']).trim().split('\n').sort();
const codes = (kernel: PolicyKernel): string[] => kernel.limits().map(({ code }) => code);

afterEach(() => {
  lacking.clear();
});

describe.each(WAYS)('a family that is %s', (way) => {
  let netns: TestNetns;
  let kernel: PolicyKernel;

  beforeEach(() => {
    netns = createTestNetns('node');
    kernel = createPolicyKernel({ netns: netns.path });
    return () => {
      kernel.close();
      netns[Symbol.dispose]();
    };
  });

  test('arp: all else is there, is kept, and the lack is told with its cure', async () => {
    lacking.set(NFPROTO.ARP, way);
    expect((await kernel.resync(viewOf(ROUTED), GUARD)).writes).toBeGreaterThan(50);
    expect(tables(netns)).toEqual(['table bridge canal-policy', 'table inet canal-policy']);
    expect(await kernel.resync(viewOf(ROUTED), GUARD)).toMatchObject(NOTHING);
    expect(await kernel.isClosed()).toBe(true);
    expect(kernel.limits()).toEqual([
      { code: 'arp-unguarded', message: expect.stringMatching(/ARP.*Cure: .*CONFIG_NF_TABLES_ARP/s) as string },
    ]);
    await kernel.setGuard({ ...GUARD, nodeAddresses: [], allowSample: 0 });
    expect(codes(kernel)).toEqual(['arp-unguarded']);
    expect(await kernel.remove()).toBe(true);
  });

  test.each([
    ['arp', NFPROTO.ARP],
    ['bridge', NFPROTO.BRIDGE],
  ])('%s: a table without chains is no sign of it', async (name, family) => {
    lacking.set(family, way);
    netns.run(['nft', 'add', 'table', name, 'canal-policy']);
    netns.run(['nft', 'add', 'chain', name, 'canal-policy', 'called']);
    await kernel.resync(viewOf(ROUTED), GUARD);
    expect(await kernel.isClosed()).toBe(true);
    expect(await kernel.resync(viewOf(ROUTED), GUARD)).toMatchObject(NOTHING);
    lacking.clear();
    expect((await kernel.resync(viewOf(ROUTED), GUARD)).writes).toBeGreaterThan(0);
    expect(netns.run(['nft', 'list', 'table', name, 'canal-policy'])).toContain('type filter hook');
  });

  test('bridge: of no matter where no pod is on one', async () => {
    lacking.set(NFPROTO.BRIDGE, way);
    await kernel.resync(viewOf(ROUTED), GUARD);
    expect(tables(netns)).toEqual(['table arp canal-policy', 'table inet canal-policy']);
    expect(await kernel.resync(viewOf(ROUTED), GUARD)).toMatchObject(NOTHING);
    expect(await kernel.isClosed()).toBe(true);
    expect(codes(kernel)).toEqual([]);
  });

  test('bridge: a pod on one is told', async () => {
    lacking.set(NFPROTO.BRIDGE, way);
    await kernel.resync(viewOf(ROUTED), GUARD);
    const bridged = endpointOf(handPod(6), { mode: 'bridge' });
    const rules: HandRules = { ...ROUTED, endpoints: [...(ROUTED.endpoints ?? []), bridged] };
    const change = { newSets: [], newChains: [], members: new Map(), removedChains: [], removedSets: [] };
    await kernel.apply({ ...change, endpoints: [bridged], removedEndpoints: [] }, viewOf(rules));
    expect(kernel.limits()).toEqual([
      {
        code: 'bridge-isolated',
        message: expect.stringMatching(/isolated\. Cure: .*CONFIG_NF_TABLES_BRIDGE/s) as string,
      },
    ]);
    expect(await kernel.resync(viewOf(rules), GUARD)).toMatchObject(NOTHING);
    await kernel.apply({ ...change, endpoints: [], removedEndpoints: [bridged] }, viewOf(ROUTED));
    expect(codes(kernel)).toEqual([]);
    expect(await kernel.resync(viewOf(ROUTED), GUARD)).toMatchObject(NOTHING);
  });

  test('once it is there it is used', async () => {
    for (const family of [NFPROTO.ARP, NFPROTO.BRIDGE]) lacking.set(family, way);
    await kernel.resync(viewOf(SAMPLE), GUARD);
    expect(codes(kernel)).toEqual(['arp-unguarded', 'bridge-isolated']);
    lacking.clear();
    await kernel.resync(viewOf(SAMPLE), GUARD);
    expect(codes(kernel)).toEqual([]);
    expect(tables(netns)).toHaveLength(3);
    expect(await kernel.resync(viewOf(SAMPLE), GUARD)).toMatchObject(NOTHING);
  });

  test('inet: there is no policy, and the kernel says what it needs', async () => {
    lacking.set(NFPROTO.INET, way);
    await expect(kernel.resync(viewOf(ROUTED), GUARD)).rejects.toThrow(/CONFIG_NF_TABLES_INET/);
  });
});

test('to ask for a family changes nothing: the generation stays', async () => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns: netns.path });
  const before = getNftGeneration(connection);
  expect(await kernel.isClosed()).toBe(false);
  expect(getNftGeneration(connection)).toBe(before);
  expect(tables(netns)).toEqual(['']);
  // What is counted when something is written.
  await kernel.resync(viewOf({}), GUARD);
  expect(getNftGeneration(connection)).toBeGreaterThan(before);
  kernel.close();
});

describe('packets', () => {
  let world: PolicyWorld;
  let prober: Prober;

  async function setUp(mode: PodMode): Promise<void> {
    world = createPolicyWorld(2, mode);
    prober = createProber();
    const places = [...world.pods, { netns: world.node, ...NODE }, { netns: world.far, ...OUTSIDE }];
    for (const { netns, ip4, ip6 } of places) {
      for (const address of [ip4, ip6]) await prober.listen(netns, address, { tcp: [80], udp: [53] });
    }
  }

  afterEach(async () => {
    await prober[Symbol.asyncDispose]();
    world[Symbol.dispose]();
  });

  /** Between all of them, by both families. */
  function questions(): ProbeQuestion[] {
    const [a, b] = world.pods;
    if (a === undefined || b === undefined) throw new Error('2');
    const [node, outside] = [
      { netns: world.node, ...NODE },
      { netns: world.far, ...OUTSIDE },
    ];
    const pairs = [
      [a, b],
      [b, a],
      [a, node],
      [node, a],
      [a, outside],
      [outside, a],
    ] as const;
    return pairs.flatMap(([from, to]) =>
      (['ip4', 'ip6'] as const).flatMap((family): ProbeQuestion[] => [
        { from: from.netns, source: from[family], target: to[family], protocol: 'tcp', port: 80 },
        { from: from.netns, source: from[family], target: to[family], protocol: 'udp', port: 53 },
      ]),
    );
  }

  test('pods on a bridge that cannot be guarded are isolated from all, and open when it can', async () => {
    await setUp('bridge');
    lacking.set(NFPROTO.BRIDGE, 'not compiled in');
    const kernel = createPolicyKernel({ netns: world.node.path });
    const rules = viewOf({ endpoints: world.pods.map((pod) => endpointOf(pod, { mode: 'bridge' })) });
    // One that nobody told of yet is no better off. The node may speak to its pods, and hears no answer.
    const byNode = ({ from, protocol }: ProbeQuestion): boolean => from.path === world.node.path && protocol === 'udp';
    for (const view of [viewOf({}), rules]) {
      await kernel.resync(view, { ...GUARD, allowSample: 0 });
      const asked = questions();
      expect(await prober.probe(asked)).toEqual(asked.map((one) => (byNode(one) ? 'one-way' : 'closed')));
    }
    expect(codes(kernel)).toEqual(['bridge-isolated']);
    lacking.clear();
    await kernel.resync(rules, { ...GUARD, allowSample: 0 });
    world.node.run(['conntrack', '-F']);
    expect(new Set(await prober.probe(questions(), 1000))).toEqual(new Set(['open']));
    kernel.close();
  });

  test('without the guard a routed pod takes no address by ARP, and can make neighbours', async () => {
    await setUp('routed');
    const [a, b] = world.pods;
    if (a === undefined || b === undefined) throw new Error('2');
    const view = viewOf({ endpoints: [endpointOf(a), endpointOf(b)] });
    /** What the pod says: that others' addresses are its own, as request and as reply. */
    const claim = async (stranger: string): Promise<string[]> => {
      const packets = [b.ip4, OTHER_NODE.ip4, stranger].flatMap((sender) =>
        [1, 2].map((op) => {
          const macs = { source: a.mac, senderMac: a.mac, destination: a.hostMac };
          return { from: a.netns, device: 'eth0', arp: { ...macs, op, sender, target: NODE.ip4 } } as const;
        }),
      );
      await prober.inject(packets, [], 50);
      const shown = world.node.json(['ip', '-j', 'neigh', 'show', 'dev', a.hostInterface]) as { dst: string }[];
      return shown.map(({ dst }) => dst);
    };
    const kernel = createPolicyKernel({ netns: world.node.path });
    await kernel.resync(view, { ...GUARD, allowSample: 0 });
    expect(await claim('10.244.1.77')).not.toContain('10.244.1.77');
    await kernel.remove();
    lacking.set(NFPROTO.ARP, 'not compiled in');
    await kernel.resync(view, { ...GUARD, allowSample: 0 });
    // What the problem tells of.
    expect(await claim('10.244.1.78')).toContain('10.244.1.78');
    const questions = (['tcp', 'udp'] as const).map((protocol) => {
      return { from: world.node, source: NODE.ip4, target: b.ip4, protocol, port: protocol === 'tcp' ? 80 : 53 };
    });
    const outside = { from: b.netns, source: b.ip4, target: OUTSIDE.ip4, protocol: 'tcp', port: 80 } as const;
    expect(await prober.probe([...questions, outside], 500)).toEqual(['open', 'open', 'open']);
    kernel.close();
  });

  test('routed pods are policed as ever without both families', async () => {
    await setUp('routed');
    for (const family of [NFPROTO.ARP, NFPROTO.BRIDGE]) lacking.set(family, 'not compiled in');
    const kernel = createPolicyKernel({ netns: world.node.path });
    const [a, b] = world.pods;
    if (a === undefined || b === undefined) throw new Error('2');
    const [IN, EG] = ['in-00000000000a', 'eg-00000000000a'];
    const endpoints = [endpointOf(a, { ingress: IN, egress: EG }), endpointOf(b)];
    await kernel.resync(viewOf({ endpoints, chains: [chain(IN), chain(EG)] }), { ...GUARD, allowSample: 0 });
    const ofNode = ({ from }: ProbeQuestion): boolean => from.path === world.node.path;
    expect(new Set(await prober.probe(questions().filter((one) => !ofNode(one))))).toEqual(new Set(['closed']));
    expect(new Set(await prober.probe(questions().filter(ofNode), 500))).toEqual(new Set(['open']));
    await kernel.resync(viewOf({ endpoints: [endpointOf(a), endpointOf(b)] }), { ...GUARD, allowSample: 0 });
    expect(new Set(await prober.probe(questions(), 500))).toEqual(new Set(['open']));
    kernel.close();
  });
});
