/** Real packets against rules put together by hand. What is closed is asked again without its rules, and then open. */
import type { PolicyKernel } from '@canal/kernel-port';
import {
  createPolicyWorld,
  createProber,
  type Injection,
  NODE,
  OTHER_NODE,
  OUTSIDE,
  type PodMode,
  type PolicyWorld,
  type Prober,
  type ProbeQuestion,
  REMOTE_POD,
  type SeenPacket,
  type TestNetns,
  waitFor,
  type WorldPod,
} from '@canal/testing';
import type { RuleEndpoint } from '@canal/rules-ast';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { PROXIES, SERVICE } from './testing/one-service.ts';
import { addresses, addressPorts, blocks, chain, endpointOf, type HandRules, ip, viewOf } from './testing/rules.ts';

const GUARD = {
  nodeAddresses: [NODE.ip4, NODE.ip6, OTHER_NODE.ip4, OTHER_NODE.ip6].map(ip),
  tunnelPorts: [8472],
  allowSample: 0,
};

let mode: PodMode;
let world: PolicyWorld;
let prober: Prober;
let kernel: PolicyKernel;
let a: WorldPod;
let b: WorldPod;
let c: WorldPod;
/** Nobody told of it. */
let stranger: WorldPod;

function endpoint(pod: WorldPod, isolation: { ingress?: string; egress?: string } = {}): RuleEndpoint {
  return endpointOf(pod, { mode, ...isolation });
}

const OPEN = (): HandRules => ({ endpoints: [a, b, c].map((pod) => endpoint(pod)) });

const IN = 'in-00000000000a';
const EG = 'eg-00000000000a';

interface Place {
  readonly netns: TestNetns;
  readonly ip4: string;
  readonly ip6: string;
}
const far = (place: { ip4: string; ip6: string }): Place => ({ netns: world.far, ...place });
const node = (): Place => ({ netns: world.node, ...NODE });

type Service = `${'tcp' | 'udp'}/${number}` | 'icmp';

/** Of both families. */
function ask(from: Place, to: { ip4: string; ip6: string }, service: Service): ProbeQuestion[] {
  const [protocol, port = '0'] = service.split('/') as ['tcp' | 'udp' | 'icmp', string?];
  return (['ip4', 'ip6'] as const).map((family) => ({
    from: from.netns,
    source: from[family],
    target: to[family],
    protocol,
    port: Number(port),
  }));
}

async function resync(rules: HandRules, guard = GUARD): Promise<void> {
  await kernel.resync(viewOf(rules), guard);
}

/** Under the rules these are closed and those open; without isolation all are open. */
async function expectUnder(
  rules: HandRules,
  { open = [], closed = [] }: { open?: ProbeQuestion[][]; closed?: ProbeQuestion[][] },
): Promise<void> {
  const [mayPass, mayNot] = [open.flat(), closed.flat()];
  const told = (results: readonly string[], questions: readonly ProbeQuestion[]): string[] =>
    questions.map(({ source, target, protocol, port = 0 }, at) => {
      return `${source} ${target} ${protocol}/${port} ${results[at] ?? ''}`;
    });
  const allAre = (result: string, questions: readonly ProbeQuestion[]): string[] =>
    questions.map(({ source, target, protocol, port = 0 }) => `${source} ${target} ${protocol}/${port} ${result}`);
  await resync(rules);
  expect(told(await prober.probe(mayPass, 500), mayPass)).toEqual(allAre('open', mayPass));
  expect(told(await prober.probe(mayNot), mayNot)).toEqual(allAre('closed', mayNot));
  await resync(OPEN());
  expect(told(await prober.probe(mayNot, 500), mayNot)).toEqual(allAre('open', mayNot));
}

/** What of the packets came to `where`, under the rules and without any table of ours. */
async function arrivals(
  where: TestNetns,
  packets: readonly Injection[],
  isIt: (packet: SeenPacket) => boolean,
): Promise<{ guarded: number; free: number }> {
  const count = async (): Promise<number> => {
    const [seen = []] = await prober.inject(packets, [where]);
    return seen.filter(isIt).length;
  };
  const guarded = await count();
  await kernel.remove();
  world.node.run(['conntrack', '-F']);
  return { guarded, free: await count() };
}

describe.each(['routed', 'bridge'] as const)('pods %s', (wanted) => {
  beforeAll(async () => {
    mode = wanted;
    world = createPolicyWorld(4, mode);
    prober = createProber();
    const [first, second, third, fourth] = world.pods;
    if (first === undefined || second === undefined || third === undefined || fourth === undefined)
      throw new Error('4');
    [a, b, c, stranger] = [first, second, third, fourth];
    const places: [TestNetns, { ip4: string; ip6: string }][] = [
      ...world.pods.map((pod): [TestNetns, WorldPod] => [pod.netns, pod]),
      [world.node, NODE],
      ...[OTHER_NODE, REMOTE_POD, OUTSIDE].map((place): [TestNetns, typeof place] => [world.far, place]),
    ];
    for (const [netns, { ip4, ip6 }] of places) {
      for (const address of [ip4, ip6]) await prober.listen(netns, address, { tcp: [80, 81], udp: [53, 54, 8472] });
    }
  });

  afterAll(async () => {
    await prober[Symbol.asyncDispose]();
    world[Symbol.dispose]();
  });

  beforeEach(() => {
    kernel = createPolicyKernel({ netns: world.node.path });
    return async () => {
      kernel.close();
      const last = createPolicyKernel({ netns: world.node.path });
      await last.remove();
      last.close();
      world.node.run(['nft', 'flush', 'ruleset']);
      world.node.run(['conntrack', '-F']);
    };
  });

  test('ingress: addresses, blocks, ports, address and port; the own node always', async () => {
    const rules: HandRules = {
      endpoints: [endpoint(a), endpoint(b, { ingress: IN }), endpoint(c)],
      chains: [
        chain(
          IN,
          { peer: { type: 'addresses', set: 'ad-00000000000a' }, ports: 'any' },
          { peer: { type: 'any' }, ports: [{ protocol: 'TCP', ranges: [{ first: 81, last: 90 }] }] },
          {
            peer: { type: 'blocks', set: 'bl-00000000000a' },
            ports: [{ protocol: 'UDP', ranges: [{ first: 53, last: 53 }] }],
          },
          { peer: { type: 'address-ports', set: 'ap-00000000000a' }, ports: 'any' },
        ),
      ],
      sets: [
        addresses('ad-00000000000a', a.ip4, a.ip6),
        blocks('bl-00000000000a', '10.0.0.0/8', '203.0.113.0/24', 'fd00::/8', '2001:db8:9::/48'),
        addressPorts('ap-00000000000a', [c.ip4, 'TCP', 80], [c.ip6, 'TCP', 80]),
      ],
    };
    await expectUnder(rules, {
      open: [
        ...(['tcp/80', 'tcp/81', 'udp/53', 'udp/54', 'icmp'] as const).map((service) => ask(a, b, service)),
        ...(['tcp/80', 'tcp/81', 'udp/53'] as const).map((service) => ask(c, b, service)),
        ...(['tcp/81', 'udp/53'] as const).map((service) => ask(far(REMOTE_POD), b, service)),
        ...(['tcp/81', 'udp/53'] as const).map((service) => ask(far(OUTSIDE), b, service)),
        ask(far(OTHER_NODE), b, 'tcp/81'),
        ...(['tcp/80', 'udp/54', 'icmp'] as const).map((service) => ask(node(), b, service)),
        ...(['tcp/80', 'udp/53', 'icmp'] as const).flatMap((service) => [
          ask(b, c, service),
          ask(b, far(OUTSIDE), service),
        ]),
        ask(b, node(), 'tcp/80'),
      ],
      closed: [
        ...(['udp/54', 'icmp'] as const).map((service) => ask(c, b, service)),
        ...(['tcp/80', 'udp/54', 'icmp'] as const).map((service) => ask(far(REMOTE_POD), b, service)),
        ...(['tcp/80', 'udp/53', 'icmp'] as const).map((service) => ask(far(OTHER_NODE), b, service)),
      ],
    });
  });

  test('egress: to pods, nodes and outside; both ends must allow', async () => {
    const rules: HandRules = {
      endpoints: [endpoint(a, { egress: EG }), endpoint(b, { ingress: IN }), endpoint(c)],
      chains: [
        chain(
          EG,
          { peer: { type: 'addresses', set: 'ad-00000000000a' }, ports: 'any' },
          { peer: { type: 'any' }, ports: [{ protocol: 'UDP', ranges: [] }] },
        ),
        chain(IN, { peer: { type: 'any' }, ports: [{ protocol: 'TCP', ranges: [{ first: 80, last: 80 }] }] }),
      ],
      sets: [addresses('ad-00000000000a', b.ip4, b.ip6, OTHER_NODE.ip4, OTHER_NODE.ip6)],
    };
    await expectUnder(rules, {
      open: [
        ask(a, b, 'tcp/80'),
        ...(['udp/53', 'udp/54'] as const).flatMap((service) => [ask(a, c, service), ask(a, far(OUTSIDE), service)]),
        ...(['tcp/81', 'icmp'] as const).map((service) => ask(a, far(OTHER_NODE), service)),
        ask(a, node(), 'udp/53'),
        ...(['tcp/80', 'udp/53', 'icmp'] as const).map((service) => ask(c, a, service)),
        ask(node(), a, 'tcp/80'),
      ],
      closed: [
        ...(['tcp/81', 'udp/53', 'icmp'] as const).map((service) => ask(a, b, service)),
        ...(['tcp/80', 'icmp'] as const).flatMap((service) => [
          ask(a, c, service),
          ask(a, far(OUTSIDE), service),
          ask(a, far(REMOTE_POD), service),
          ask(a, node(), service),
        ]),
      ],
    });
  });

  const CLOSED = (): HandRules => ({
    endpoints: [endpoint(a, { ingress: IN, egress: EG }), endpoint(b), endpoint(c)],
    chains: [chain(IN), chain(EG)],
  });

  test('what is open stays open when rules change; the answer to a denied direction opens nothing', async () => {
    await resync(OPEN());
    expect(await prober.open('kept', { from: c.netns, source: c.ip4, target: a.ip4, protocol: 'tcp', port: 80 })).toBe(
      'open',
    );
    await resync(CLOSED());
    expect(await prober.talk('kept')).toBe(true);
    expect(await prober.probe(ask(c, a, 'tcp/80'))).toEqual(['closed', 'closed']);

    // a may be asked, but may not ask: its answers pass, and what it sends of its own on the same ports does not.
    const egress: HandRules = { endpoints: [endpoint(a, { egress: EG }), endpoint(b)], chains: [chain(EG)] };
    await resync(egress);
    expect(await prober.probe(ask(b, a, 'udp/53'), 500)).toEqual(['open', 'open']);
    const toC = (flags: string): Injection => ({
      from: a.netns,
      packet: { source: a.ip4, destination: REMOTE_POD.ip4, protocol: 'tcp', sourcePort: 80, port: 7777, flags },
    });
    const { guarded, free } = await arrivals(
      world.far,
      [toC('S'), toC('SA'), toC('A'), toC('R')],
      ({ port }) => port === 7777,
    );
    expect(guarded).toBe(0);
    expect(free).toBeGreaterThan(0);
  });

  test('a TCP flow in mid-stream opens nothing at an isolated pod, in neither direction', async () => {
    const tcp = (from: TestNetns, source: string, destination: string): Injection => ({
      from,
      packet: { source, destination, protocol: 'tcp', sourcePort: 9000, port: 9001, flags: 'A' },
    });
    const isIt = ({ port, flags }: SeenPacket): boolean => port === 9001 && flags === 'A';
    // Isolated for egress alone: ingress is open, and a packet that comes in must not make an entry for the answers.
    const rules: HandRules = { endpoints: [endpoint(a, { egress: EG }), endpoint(b)], chains: [chain(EG)] };
    await resync(rules);
    for (const [source, destination] of [
      [REMOTE_POD.ip4, a.ip4],
      [REMOTE_POD.ip6, a.ip6],
    ] as const) {
      await resync(rules);
      const { guarded, free } = await arrivals(a.netns, [tcp(world.far, source, destination)], isIt);
      expect([guarded, free]).toEqual([0, 1]);
      await resync(rules);
      const back = await arrivals(world.far, [tcp(a.netns, destination, source)], isIt);
      expect([back.guarded, back.free]).toEqual([0, 1]);
    }
    // A pod without policy keeps what conntrack forgot.
    await resync(OPEN());
    const [seen = []] = await prober.inject([tcp(world.far, REMOTE_POD.ip4, b.ip4)], [b.netns]);
    expect(seen.filter(isIt)).toHaveLength(1);
  });

  test('errors about allowed flows pass, and no others', async () => {
    const rules: HandRules = {
      endpoints: [endpoint(a, { ingress: IN, egress: EG }), endpoint(b)],
      chains: [chain(IN), chain(EG, { peer: { type: 'any' }, ports: [{ protocol: 'UDP', ranges: [] }] })],
    };
    await resync(rules);
    // Nobody listens there: port unreachable comes back.
    const silent = (['ip4', 'ip6'] as const).map((family): ProbeQuestion => ({
      from: a.netns,
      source: a[family],
      target: REMOTE_POD[family],
      protocol: 'udp',
      port: 9,
      sourcePort: 2000,
    }));
    expect(await prober.probe(silent, 500)).toEqual(['refused', 'refused']);

    // Fragmentation needed, packet too big: from a router on the way, about that flow and about one that never was.
    const error = (family: 'ip4' | 'ip6', sourcePort: number): Injection => ({
      from: world.far,
      packet: {
        source: OUTSIDE[family],
        destination: a[family],
        protocol: 'icmp',
        type: family === 'ip4' ? 3 : 2,
        code: family === 'ip4' ? 4 : 0,
        body: '00000514',
        quote: { source: a[family], destination: REMOTE_POD[family], protocol: 'udp', sourcePort, port: 9 },
      },
    });
    const types = async (packets: readonly Injection[]): Promise<(number | undefined)[]> => {
      const [seen = []] = await prober.inject(packets, [a.netns]);
      return seen.filter(({ source }) => source === OUTSIDE.ip4 || source === OUTSIDE.ip6).map(({ type }) => type);
    };
    expect(await types([error('ip4', 2000), error('ip6', 2000)])).toEqual([3, 2]);
    const others = [error('ip4', 2001), error('ip6', 2001)];
    expect(await types(others)).toEqual([]);
    await resync(OPEN());
    expect(await types(others)).toEqual([3, 2]);
  });

  test('SCTP by ports, as packets made by hand', async () => {
    const rules: HandRules = {
      endpoints: [endpoint(a, { egress: EG }), endpoint(b)],
      chains: [chain(EG, { peer: { type: 'any' }, ports: [{ protocol: 'SCTP', ranges: [{ first: 5, last: 6 }] }] })],
    };
    const init = (place: { ip4: string; ip6: string }, port: number): Injection[] =>
      (['ip4', 'ip6'] as const).map((family) => ({
        from: a.netns,
        packet: { source: a[family], destination: place[family], protocol: 'sctp', port },
      }));
    const ports = async (): Promise<(number | undefined)[]> => {
      const packets = [5, 6, 7].flatMap((port) => init(REMOTE_POD, port));
      const [seen = []] = await prober.inject(packets, [world.far]);
      return seen.filter(({ protocol }) => protocol === 132).map(({ port }) => port);
    };
    await resync(rules);
    expect(await ports()).toEqual([5, 5, 6, 6]);
    await resync(OPEN());
    expect(await ports()).toEqual([5, 5, 6, 6, 7, 7]);
  });

  test.each(PROXIES)(
    'a service by %s is judged by the pod and port behind it, and by the true client',
    async (_, setUp) => {
      setUp(world.node, b);
      world.far.run(['ip', 'route', 'replace', SERVICE.ip4, 'via', NODE.ip4]);
      world.far.run(['ip', 'route', 'replace', SERVICE.ip6, 'via', NODE.ip6]);
      const rules: HandRules = {
        endpoints: [endpoint(a, { egress: EG }), endpoint(b, { ingress: IN }), endpoint(c)],
        chains: [
          chain(EG, { peer: { type: 'any' }, ports: [{ protocol: 'TCP', ranges: [{ first: 80, last: 80 }] }] }),
          chain(IN, {
            peer: { type: 'addresses', set: 'ad-00000000000a' },
            ports: [{ protocol: 'TCP', ranges: [{ first: 81, last: 81 }] }],
          }),
        ],
        sets: [addresses('ad-00000000000a', a.ip4, a.ip6, c.ip4, c.ip6, OUTSIDE.ip4, OUTSIDE.ip6)],
      };
      await expectUnder(rules, {
        open: [ask(c, SERVICE, 'tcp/80'), ask(far(OUTSIDE), SERVICE, 'tcp/80'), ask(node(), SERVICE, 'tcp/80')],
        closed: [ask(a, SERVICE, 'tcp/80'), ask(far(REMOTE_POD), SERVICE, 'tcp/80')],
      });
    },
  );

  test.each(PROXIES)(
    'a pod reaches itself by its service (%s), though nothing else may come or go',
    async (_, setUp) => {
      setUp(world.node, a);
      await expectUnder(CLOSED(), {
        open: [ask(a, SERVICE, 'tcp/80')],
        closed: [ask(b, SERVICE, 'tcp/80')],
      });
    },
  );

  test('an interface nobody told of is isolated, also with the agent gone', async () => {
    const outward = [ask(stranger, a, 'tcp/80'), ask(stranger, far(OUTSIDE), 'udp/53'), ask(stranger, node(), 'icmp')];
    const inward = [ask(a, stranger, 'tcp/80'), ask(far(OUTSIDE), stranger, 'udp/53'), ask(node(), stranger, 'tcp/80')];
    const all = [...outward, ...inward].flat();
    await resync(OPEN());
    kernel.close();
    expect(new Set(await prober.probe(all))).toEqual(new Set(['closed']));
    kernel = createPolicyKernel({ netns: world.node.path });
    await kernel.remove();
    // Whom they asked for in vain they ask again after a second only.
    for (const pod of world.pods) if (mode === 'bridge') pod.netns.run(['ip', 'neigh', 'flush', 'dev', 'eth0']);
    expect(new Set(await prober.probe(all, 2000))).toEqual(new Set(['open']));
  });

  test('a pod sends from its own addresses alone', async () => {
    const from = (source: string, destination: string): Injection => ({
      from: a.netns,
      packet: { source, destination, protocol: 'udp', port: 5353 },
    });
    const forged = [
      from(b.ip4, REMOTE_POD.ip4),
      from('10.244.9.9', REMOTE_POD.ip4),
      from(OUTSIDE.ip4, REMOTE_POD.ip4),
      from(b.ip6, REMOTE_POD.ip6),
      from('fd00::bad', REMOTE_POD.ip6),
      from('fe80::bad', REMOTE_POD.ip6),
    ];
    const own = [from(a.ip4, REMOTE_POD.ip4), from(a.ip6, REMOTE_POD.ip6)];
    const isIt = ({ port }: SeenPacket): boolean => port === 5353;
    await resync(OPEN());
    const [passed = []] = await prober.inject(own, [world.far]);
    expect(passed.filter(isIt)).toHaveLength(2);
    for (const device of ['all', mode === 'routed' ? a.hostInterface : 'cni0']) {
      world.node.run(['sysctl', '-qw', `net.ipv4.conf.${device}.rp_filter=0`]);
    }
    const { guarded, free } = await arrivals(world.far, forged, isIt);
    expect(guarded).toBe(0);
    expect(free).toBe(5);
  });

  test('no encapsulation leaves a pod', async () => {
    const packets = [4, 41, 47].flatMap((protocol): Injection[] =>
      (['ip4', 'ip6'] as const).map((family) => ({
        from: a.netns,
        packet: { source: a[family], destination: REMOTE_POD[family], protocol, body: '45000000' },
      })),
    );
    await resync(OPEN());
    const { guarded, free } = await arrivals(world.far, packets, ({ protocol }) => [4, 41, 47].includes(protocol ?? 0));
    expect([guarded, free]).toEqual([0, 6]);
  });

  test('router advertisements, redirects and neighbour messages of others do not pass', async () => {
    // These are not forwarded: what came through is counted behind the guard, where the node would take it. The node's
    // own counters (snmp6) go up by themselves, with what pods and nodes ask each other.
    const device = mode === 'routed' ? a.hostInterface : 'cni0';
    world.node.run(['nft', '-f', '-'], {
      stdin: `table inet taken {
        counter own { }
        counter forged { }
        chain input {
          type filter hook input priority 300;
          iifname != ${device} return
          ip6 saddr fe80::1234 icmpv6 type nd-neighbor-solicit counter name own return
          ip6 saddr ${a.ip6} icmpv6 type nd-neighbor-advert counter name own return
          ip6 daddr ${NODE.ip6} icmpv6 type { 134, 135, 136, 137 } counter name forged
        }
      }\n`,
    });
    const taken = (name: 'own' | 'forged'): number => {
      const { nftables } = world.node.json(['nft', '-j', 'list', 'counter', 'inet', 'taken', name]) as {
        nftables: { counter?: { packets: number } }[];
      };
      return nftables.find(({ counter }) => counter !== undefined)?.counter?.packets ?? Number.NaN;
    };
    const icmp6 = (source: string, type: number, body: string): Injection => ({
      from: a.netns,
      device: 'eth0',
      sourceMac: a.mac,
      destinationMac: a.hostMac,
      packet: { source, destination: NODE.ip6, protocol: 'icmp', type, body },
    });
    const target = 'fd0000100244000100000000000000cc';
    const forged = [
      icmp6('fe80::bad', 134, `40000708${'00'.repeat(8)}`),
      icmp6(a.ip6, 134, `40000708${'00'.repeat(8)}`),
      icmp6('fe80::bad', 137, `00000000${target}${target}`),
      icmp6(b.ip6, 135, `00000000${target}`),
      icmp6(b.ip6, 136, `60000000${target}`),
    ];
    const own = [icmp6('fe80::1234', 135, `00000000${target}`), icmp6(a.ip6, 136, `60000000${target}`)];
    await resync(OPEN());
    // What comes last on the same way tells that the others have had their time.
    await prober.inject([...forged, ...own], []);
    await waitFor('its own', () => taken('own') === own.length);
    expect(taken('forged')).toBe(0);
    await kernel.remove();
    await prober.inject(forged, []);
    await waitFor('the forged ones', () => taken('forged') === forged.length);
  });

  test('ARP speaks of own addresses alone', async () => {
    const arp = (sender: string, op: number): Injection => ({
      from: a.netns,
      device: 'eth0',
      arp: { source: a.mac, destination: a.hostMac, op, senderMac: a.mac, sender, target: NODE.ip4 },
    });
    const device = mode === 'routed' ? a.hostInterface : 'cni0';
    // A request that the node takes makes a neighbour of its sender.
    const learned = async (sender: string): Promise<boolean> => {
      await prober.inject([arp(sender, 1)], [], 10);
      const all = world.node.json(['ip', '-j', 'neigh', 'show', 'dev', device]) as { dst: string }[];
      return all.some(({ dst }) => dst === sender);
    };
    await resync(OPEN());
    expect(await learned('10.244.1.77')).toBe(false);
    await kernel.remove();
    expect(await learned('10.244.1.78')).toBe(true);
  });

  test('tunnel ports: pods cannot send to those of nodes, outsiders not to ours', async () => {
    const tunnel = 'udp/8472';
    const closed = [
      ask(a, node(), tunnel),
      ask(a, far(OTHER_NODE), tunnel),
      ask(far(OUTSIDE), node(), tunnel),
      ask(far(REMOTE_POD), node(), tunnel),
    ].flat();
    const open = [
      ask(far(OTHER_NODE), node(), tunnel),
      ask(node(), far(OTHER_NODE), tunnel),
      ask(a, far(OUTSIDE), tunnel),
      ask(a, b, tunnel),
      ask(a, node(), 'udp/53'),
    ].flat();
    await resync(OPEN());
    expect(new Set(await prober.probe(open, 500))).toEqual(new Set(['open']));
    expect(new Set(await prober.probe(closed))).toEqual(new Set(['closed']));
    // Also where DNAT leads there.
    const service = ask(a, SERVICE, 'udp/53').slice(0, 1);
    const dnat = ['-d', SERVICE.ip4, '-p', 'udp', '-j', 'DNAT', '--to-destination', `${OTHER_NODE.ip4}:8472`];
    world.node.run(['iptables-nft', '-t', 'nat', '-A', 'PREROUTING', ...dnat]);
    expect(await prober.probe(service)).toEqual(['closed']);
    // While the nodes are not known nobody is refused.
    await resync(OPEN(), { ...GUARD, nodeAddresses: [] });
    expect(new Set(await prober.probe([...closed, ...service], 500))).toEqual(new Set(['open']));
    await kernel.setGuard(GUARD);
    world.node.run(['conntrack', '-F']);
    expect(new Set(await prober.probe([...closed, ...service]))).toEqual(new Set(['closed']));
  });

  test('a source that is the node itself helps nobody from outside', async () => {
    const rules: HandRules = { endpoints: [endpoint(a, { ingress: IN })], chains: [chain(IN)] };
    await resync(rules);
    // Linux refuses such a packet of IPv4 by itself.
    const forged: Injection = {
      from: world.far,
      packet: { source: NODE.ip6, destination: a.ip6, protocol: 'udp', port: 5353 },
    };
    const { guarded, free } = await arrivals(a.netns, [forged], ({ port }) => port === 5353);
    expect([guarded, free]).toEqual([0, 1]);
  });
});
