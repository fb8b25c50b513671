/** Pods on a bridge where policy is required, with real packets: all that they say to each other goes by the node. */
import type { PolicyKernel } from '@canal/kernel-port';
import { createPolicyKernel } from '@canal/policy-nft';
import type { RuleEndpoint, RuleView } from '@canal/rules-ast';
import {
  createProber,
  type Injection,
  type Prober,
  type ProbeQuestion,
  type SeenPacket,
  waitFor,
} from '@canal/testing';
import { parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CniNode, globalAddresses, IPV4, IPV6, ipJson, type Pod } from './testing/cni-node.ts';
import { FakePolicyAgent, POLICED } from './testing/fake-policy-agent.ts';

const GATEWAY = { ip4: '10.244.1.1', ip6: 'fd00:10:244:1::1' };
const NODE = { ip4: '192.168.77.1', ip6: 'fd00:77::1' };
/** A pod of another node. */
const FAR = { ip4: '10.244.2.11', ip6: 'fd00:10:244:2::b' };
/** Services: kube-proxy's work, done by hand. */
const NEAR_SERVICE = { ip4: '10.96.0.1', ip6: 'fd00:96::1' };
const FAR_SERVICE = { ip4: '10.96.0.2', ip6: 'fd00:96::2' };

const PROTOCOLS = ['tcp', 'udp', 'icmp'] as const;

const WORDS = {
  tcp4: 'meta nfproto ipv4 meta l4proto tcp',
  tcp6: 'meta nfproto ipv6 meta l4proto tcp',
  udp4: 'meta nfproto ipv4 meta l4proto udp',
  udp6: 'meta nfproto ipv6 meta l4proto udp',
  icmp4: 'icmp type { echo-request, echo-reply }',
  icmp6: 'icmpv6 type { echo-request, echo-reply }',
} as const;
const KINDS = Object.keys(WORDS) as readonly (keyof typeof WORDS)[];

interface Place {
  readonly path: string;
  readonly ip4: string;
  readonly ip6: string;
}

/** By the path of the pod's namespace. */
const hostEnds = new Map<string, string>();

class BridgedNode extends CniNode {
  readonly #agent: FakePolicyAgent;
  readonly #policy: 'required' | 'off';

  constructor(policy: 'required' | 'off') {
    super({ mode: 'bridge', subnet: [...IPV4, ...IPV6] });
    this.#policy = policy;
    this.#agent = new FakePolicyAgent(`${this.folder}/policy.sock`, () => POLICED);
    this.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=1');
  }

  override plugin(): Record<string, unknown> {
    return { ...super.plugin(), policy: this.#policy, policySocket: `${this.folder}/policy.sock` };
  }

  async plug(id: string): Promise<Pod & Place> {
    const pod = this.pod(id);
    await this.runtime.add(this.list(), pod);
    const known = new Set(hostEnds.values());
    const links = this.ip('link', 'show', 'master', 'cni0').map(({ ifname = '' }) => ifname);
    hostEnds.set(pod.netns, links.find((name) => !known.has(name)) ?? '');
    const [ip4 = '', ip6 = ''] = globalAddresses(pod).map((address) => address.replace(/\/.*/, ''));
    return { ...pod, path: pod.netns, ip4, ip6 };
  }

  /** Another node, with a pod of its own. */
  neighbour(): Place {
    const far = this.pod('far');
    // A router asks in the name of its link-local address, which duplicate detection keeps back for a second.
    this.run('sysctl', '-qw', 'net.ipv6.conf.uplink.accept_dad=0');
    far.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0');
    this.run(
      'ip',
      'link',
      'add',
      'far0',
      'master',
      'uplink',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      far.netns,
    );
    this.run('ip', 'link', 'set', 'far0', 'up');
    far.run('ip', 'link', 'set', 'eth0', 'up');
    for (const [ip, subnet, bits, via, own] of [
      ['192.168.77.2/24', '10.244.1.0/24', 32, NODE.ip4, FAR.ip4],
      ['fd00:77::2/64', 'fd00:10:244:1::/64', 128, NODE.ip6, FAR.ip6],
    ] as const) {
      const nodad = bits === 128 ? ['nodad'] : [];
      far.run('ip', 'address', 'add', ip, 'dev', 'eth0', ...nodad);
      far.run('ip', 'address', 'add', `${own}/${bits}`, 'dev', 'lo', ...nodad);
      far.run('ip', 'route', 'add', subnet, 'via', via);
      this.run('ip', 'route', 'add', own, 'via', ip.replace(/\/.*/, ''));
    }
    return { path: far.netns, ...FAR };
  }

  nft(text: string): void {
    this.run('sh', '-c', `printf '%s' '${text}' | nft -f -`);
  }

  /** Packets from port to port by hook, family and protocol, and redirects that the node sent. */
  count(): void {
    const chain = (hook: string, iif: string): string[] => [
      `chain on-${hook} { type filter hook ${hook} priority 300`,
      ...KINDS.map((kind) => `${iif} oifname "cnl*" ${WORDS[kind]} counter name "${hook}-${kind}"`),
      '}',
    ];
    const counters = [
      ...KINDS.flatMap((kind) => [`forward-${kind}`, `postrouting-${kind}`]),
      'redirects4',
      'redirects6',
    ];
    this.nft(
      [
        'table inet counted {',
        ...counters.map((name) => `counter ${name} { }`),
        ...chain('forward', 'iifname "cni0"'),
        ...chain('postrouting', ''),
        'chain on-output { type filter hook output priority 300',
        'icmp type redirect counter name "redirects4"',
        'icmpv6 type nd-redirect counter name "redirects6"',
        '}',
        '}',
        '',
      ].join('\n'),
    );
  }

  counted(): Record<string, number> {
    const { nftables } = JSON.parse(this.run('nft', '-j', 'list', 'counters')) as {
      nftables: { counter?: { name: string; packets: number } }[];
    };
    return Object.fromEntries(
      nftables.flatMap(({ counter }) => (counter && counter.packets > 0 ? [[counter.name, counter.packets]] : [])),
    );
  }

  /** kube-proxy's DNAT: to a pod of this node, and to one of another. */
  serve(near: Place): void {
    const rules = [
      { service: NEAR_SERVICE, pod: near },
      { service: FAR_SERVICE, pod: FAR },
    ].flatMap(({ service, pod }) => [
      `ip daddr ${service.ip4} dnat ip to ${pod.ip4}`,
      `ip6 daddr ${service.ip6} dnat ip6 to ${pod.ip6}`,
    ]);
    const chain = 'chain services { type nat hook prerouting priority -100';
    this.nft(['table inet services {', chain, ...rules, '}', '}', ''].join('\n'));
  }

  bridgeNetfilter(value: 0 | 1): void {
    for (const name of ['iptables', 'ip6tables'])
      this.run('sysctl', '-qw', `net.bridge.bridge-nf-call-${name}=${value}`);
  }

  override [Symbol.dispose](): void {
    hostEnds.clear();
    this.#agent[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

/** By every protocol, of both families. */
function ask(from: Place, to: { ip4: string; ip6: string }): ProbeQuestion[] {
  return (['ip4', 'ip6'] as const).flatMap((family) =>
    PROTOCOLS.map((protocol) => ({ from, source: from[family], target: to[family], protocol, port: 80 })),
  );
}

let node: BridgedNode;
let prober: Prober;
let a: Pod & Place;
let b: Pod & Place;
let far: Place;

async function setUp(policy: 'required' | 'off'): Promise<void> {
  node = new BridgedNode(policy);
  prober = createProber();
  [a, b] = [await node.plug('a'), await node.plug('b')];
  far = node.neighbour();
  const tentative = (): string => node.run('ip', '-6', 'address', 'show', 'tentative');
  await waitFor('the node’s own addresses', () => tentative() === '');
  const places: Place[] = [a, b, far, { path: node.netns, ...NODE }, { path: node.netns, ...GATEWAY }];
  for (const { path, ip4, ip6 } of places) {
    for (const address of [ip4, ip6]) await prober.listen({ path }, address, { tcp: [80], udp: [80] });
  }
  node.count();
  node.serve(b);
}

afterEach(async () => {
  await prober[Symbol.asyncDispose]();
  node[Symbol.dispose]();
});

async function expectOpen(questions: readonly ProbeQuestion[]): Promise<void> {
  const results = await prober.probe(questions, 2_000);
  const told = questions.map(
    ({ source, target, protocol }, at) => `${source} ${target} ${protocol} ${results[at] ?? ''}`,
  );
  expect(told.filter((each) => !each.endsWith(' open'))).toEqual([]);
}

/** It knows the address of the other pod, and no MAC but the bridge's. */
function expectBridgeAlone(pod: Pod & Place): void {
  const [bridge] = node.ip('link', 'show', 'cni0');
  const known = ipJson(pod.run('ip', '-j', 'neigh'));
  const other = pod === a ? b : a;
  expect(known.map(({ dst }) => dst)).toEqual(expect.arrayContaining([other.ip4, other.ip6]) as unknown);
  expect(new Set(known.map(({ lladdr }) => lladdr))).toEqual(new Set([bridge?.address]));
}

const ISOLATED_WORDS = 'isolated on';
describe.each([0, 1] as const)('bridge-nf-call-iptables %i', (call) => {
  beforeEach(async () => {
    await setUp('required');
    node.bridgeNetfilter(call);
  });

  test('two pods of one node reach each other by the forward and postrouting hooks of the inet family, without redirects', async () => {
    await expectOpen([...ask(a, b), ...ask(b, a)]);
    const hooks = KINDS.flatMap((kind) => [`forward-${kind}`, `postrouting-${kind}`]);
    expect(Object.keys(node.counted()).sort()).toEqual(hooks.sort());
    for (const pod of [a, b]) expectBridgeAlone(pod);
  });

  test('pods reach their gateway, their node, other nodes, and services here and there; all of those reach them', async () => {
    const here: Place = { path: node.netns, ...NODE };
    for (const to of [GATEWAY, NODE, far, NEAR_SERVICE, FAR_SERVICE]) await expectOpen(ask(a, to));
    await expectOpen([...ask(far, a), ...ask(here, a), ...ask({ path: node.netns, ...GATEWAY }, b)]);
    const counted = node.counted();
    expect(counted['redirects4']).toBeUndefined();
    // What br_netfilter has translated looks to IPv6 as if it left as it came (ip6_rcv_core), but a pod listens to a
    // router only about what it sends by it. The table of the bridge, which is not here, drops such a word.
    if (call === 0) expect(counted['redirects6']).toBeUndefined();
    await expectOpen(ask(a, b));
    expectBridgeAlone(a);
  });

  test('without its route by the port a service of the node is lost, or redirects are sent: that is what the route is for', async () => {
    for (const { ip4, ip6 } of [a, b]) {
      node.run('ip', 'route', 'del', ip4);
      node.run('ip', '-6', 'route', 'del', ip6);
    }
    await prober.probe([...ask(a, b), ...ask(a, NEAR_SERVICE)], 1_000);
    const results = await prober.probe(ask(a, NEAR_SERVICE), 1_000);
    if (call === 1) expect(results.filter((result) => result !== 'open')).not.toEqual([]);
    else expect(node.counted()['redirects6']).toBeGreaterThan(0);
  });
});

describe('what a pod sends to others past the node', () => {
  const macOf = (pod: Pod): string => ipJson(pod.run('ip', '-j', 'link', 'show', 'eth0'))[0]?.address ?? '';

  /** What b gets of each, before and after its port and that of a are isolated no more. */
  async function seen(injections: readonly Injection[], isIt: (packet: SeenPacket) => boolean): Promise<number[]> {
    const count = async (): Promise<number> => {
      const [packets = []] = await prober.inject(injections, [b], 100);
      return packets.filter(isIt).length;
    };
    const isolated = await count();
    for (const { name } of ports()) node.run('bridge', 'link', 'set', 'dev', name, 'isolated', 'off');
    return [isolated, await count()];
  }
  const ports = (): { name: string }[] =>
    node.ip('link', 'show', 'master', 'cni0').map(({ ifname = '' }) => ({ name: ifname }));

  beforeEach(() => setUp('required'));

  test('ARP in the name of another', async () => {
    const [source, destination] = [macOf(a), 'ff:ff:ff:ff:ff:ff'];
    const lies = ([1, 2] as const).flatMap((op) =>
      [GATEWAY.ip4, b.ip4].map((sender): Injection => {
        return { from: a, device: 'eth0', arp: { source, destination, op, senderMac: source, sender, target: sender } };
      }),
    );
    expect(await seen(lies, ({ arp }) => arp !== undefined)).toEqual([0, lies.length]);
  });

  test('neighbour advertisements in the name of another', async () => {
    const target = 'fd0000100244000100000000000000' + '01';
    const body = `20000000${target}0201${macOf(a).replaceAll(':', '')}`;
    const packet = { source: GATEWAY.ip6, destination: 'ff02::1', protocol: 'icmp', type: 136, code: 0, body } as const;
    const lie: Injection = {
      from: a,
      device: 'eth0',
      sourceMac: macOf(a),
      destinationMac: '33:33:00:00:00:01',
      packet,
    };
    expect(await seen([lie], ({ type, source }) => type === 136 && source === GATEWAY.ip6)).toEqual([0, 1]);
  });

  test('frames to the MAC of another', async () => {
    const frames = ([a.ip4, a.ip6] as const).map((source): Injection => {
      const destination = source === a.ip4 ? b.ip4 : b.ip6;
      const packet = { source, destination, protocol: 'udp', sourcePort: 7, port: 99 } as const;
      return { from: a, device: 'eth0', sourceMac: macOf(a), destinationMac: macOf(b), packet };
    });
    expect(await seen(frames, ({ port }) => port === 99)).toEqual([0, 2]);
  });
});

test('CHECK finds a port that is isolated no more', async () => {
  await setUp('required');
  await node.runtime.check(node.list(), a);
  node.run('bridge', 'link', 'set', 'dev', hostEnds.get(a.path) ?? '', 'isolated', 'off');
  await expect(node.runtime.check(node.list(), a)).rejects.toMatchObject({
    details: expect.stringContaining('is not isolated from other ports') as string,
  });
});

test('without policy frames pass from port to port, past all hooks', async () => {
  await setUp('off');
  node.bridgeNetfilter(0);
  await expectOpen([...ask(a, b), ...ask(b, a)]);
  expect(node.run('bridge', '-d', 'link')).not.toContain(ISOLATED_WORDS);
  expect(Object.keys(node.counted()).filter((name) => name.startsWith('forward'))).toEqual([]);
  expect(node.run('ip', 'neigh', 'show', 'proxy')).toBe('');
  expect(node.run('sysctl', '-n', 'net.ipv4.conf.cni0.proxy_arp', 'net.ipv4.conf.cni0.proxy_arp_pvlan').trim()).toBe(
    '0\n0',
  );
  expect(node.ip('route', 'show', 'proto', '204')).toEqual([]);
});

describe('with the rules of policy', () => {
  const GUARD = { nodeAddresses: [], tunnelPorts: [], allowSample: 0 };
  const DENIED = 'in-00000000000a';
  let kernel: PolicyKernel;

  function endpoint(pod: Pod & Place, more: Partial<RuleEndpoint> = {}): RuleEndpoint {
    const [link] = ipJson(pod.run('ip', '-j', 'link', 'show', 'eth0'));
    const host = node.ip('link').find(({ ifname, master }) => master === 'cni0' && ifname === hostEnds.get(pod.path));
    return {
      key: `${pod.containerId}/eth0`,
      hostInterface: unwrap(parseInterfaceName(host?.ifname ?? '')),
      mode: 'bridge',
      mac: unwrap(parseMac(link?.address ?? '')),
      addresses: [pod.ip4, pod.ip6].map((text) => unwrap(parseIp(text))),
      ...more,
    };
  }

  /** Nobody may begin a flow to b. */
  function view(): RuleView {
    const refuse = (): never => {
      throw new RangeError('no sets');
    };
    return {
      endpoints: () => [endpoint(a), endpoint(b, { ingress: DENIED })],
      chains: () => [{ id: DENIED, direction: 'ingress', rules: [] }],
      sets: () => [],
      members: refuse,
      memberCount: refuse,
      keptCounters: () => new Set(),
    };
  }

  /** Packets that a chain of the table has dropped. */
  function drops(chain: string): number {
    const { nftables } = JSON.parse(node.run('nft', '-j', 'list', 'table', 'inet', 'canal-policy')) as {
      nftables: { rule?: { chain: string; expr: { counter?: { packets: number } }[] } }[];
    };
    const rules = nftables.flatMap(({ rule }) => (rule?.chain === chain ? [rule] : []));
    return rules.reduce((sum, { expr }) => sum + (expr.find(({ counter }) => counter)?.counter?.packets ?? 0), 0);
  }

  beforeEach(async () => {
    await setUp('required');
    kernel = createPolicyKernel({ netns: node.netns });
    await kernel.resync(view(), GUARD);
  });
  afterEach(() => {
    kernel.close();
  });

  test.each([0, 1] as const)('a denied pair is denied, once a packet (bridge-nf-call-iptables %i)', async (call) => {
    node.bridgeNetfilter(call);
    await expectOpen([...ask(b, a), ...ask(a, GATEWAY), ...ask(a, far)]);
    const denied = [...ask(a, b), ...ask(a, NEAR_SERVICE)];
    expect(new Set(await prober.probe(denied, 300))).toEqual(new Set(['closed']));
    for (const family of ['ip4', 'ip6'] as const) {
      const before = drops('ingress-denied');
      const packet = { source: a[family], destination: b[family], protocol: 'udp', sourcePort: 7, port: 99 } as const;
      const [packets = []] = await prober.inject([{ from: a, packet, count: 5 }], [b], 100);
      expect(packets.filter(({ port }) => port === 99)).toEqual([]);
      expect(drops('ingress-denied') - before).toBe(5);
    }
  });

  test('isolation denies also what knows the MAC of the other, without the table of the bridge; without both it leaks', async () => {
    node.run('nft', 'delete', 'table', 'bridge', 'canal-policy');
    node.bridgeNetfilter(0);
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const [link] = ipJson(other.run('ip', '-j', 'link', 'show', 'eth0'));
      for (const address of [other.ip4, other.ip6]) {
        one.run('ip', 'neigh', 'replace', address, 'lladdr', link?.address ?? '', 'dev', 'eth0', 'nud', 'permanent');
      }
    }
    expect(new Set(await prober.probe(ask(a, b), 300))).toEqual(new Set(['closed']));
    for (const name of hostEnds.values()) node.run('bridge', 'link', 'set', 'dev', name, 'isolated', 'off');
    await expectOpen(ask(a, b));
  });

  test('duplicate address detection of a pod finds nobody', async () => {
    for (const pod of [a, b]) {
      pod.run('ip', 'address', 'del', `${pod.ip6}/64`, 'dev', 'eth0');
      pod.run('ip', 'address', 'add', `${pod.ip6}/64`, 'dev', 'eth0');
    }
    const states = (): string => [a, b].map((pod) => pod.run('ip', '-6', 'address', 'show', 'dev', 'eth0')).join('');
    await waitFor('the end of detection', () => !states().includes('tentative'), 5_000);
    expect(states()).not.toContain('dadfailed');
  });
});
