/**
 * What becomes of packets: a node between a pod of its own, a pod of another node and a host outside the cluster. Each
 * receiver notes the source addresses of the echo requests that come in, in an nft set of its own.
 *
 *     pod 10.244.1.5 ──── 10.244.1.1  node  10.0.0.1 ──── 10.0.0.2  remote pod 10.244.2.5
 *                                     192.0.2.254 ──── outside 192.0.2.1
 */
import type { TrafficKernel } from '@canal/kernel-port';
import { compileTrafficRules } from '@canal/network-compile';
import { connectNetns, createTestNetns, type TestNetns } from '@canal/testing';
import { parseCidr, unwrap } from 'net-types';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createNftTrafficKernel } from './nft-traffic-kernel.ts';

const cidr = (text: string) => unwrap(parseCidr(text));

const FAMILIES = [
  { network: cidr('10.244.0.0/16'), podSubnet: cidr('10.244.1.0/24') },
  { network: cidr('fd00:10:244::/48'), podSubnet: cidr('fd00:10:244:1::/64') },
];
const RULES = compileTrafficRules({ families: FAMILIES, masquerade: true, fullyRandom: true, forward: true });

const V4 = {
  name: 'IPv4',
  pod: '10.244.1.5',
  podGateway: '10.244.1.1',
  remotePod: '10.244.2.5',
  nodeToRemote: '10.0.0.1',
  nodeToOutside: '192.0.2.254',
  outside: '192.0.2.1',
  multicast: '239.1.2.3',
};
const V6 = {
  name: 'IPv6',
  pod: 'fd00:10:244:1::5',
  podGateway: 'fd00:10:244:1::1',
  remotePod: 'fd00:10:244:2::5',
  nodeToRemote: 'fd00:10::1',
  nodeToOutside: '2001:db8::fe',
  outside: '2001:db8::1',
  multicast: 'ff0e::1:2:3',
};

let node: TestNetns;
let pod: TestNetns;
let remote: TestNetns;
let outside: TestNetns;
let kernel: TrafficKernel;

beforeAll(() => {
  [node, pod, remote, outside] = ['node', 'pod', 'remote', 'outside'].map((label) => createTestNetns(label)) as [
    TestNetns,
    TestNetns,
    TestNetns,
    TestNetns,
  ];
  // A router asks for neighbours by its link-local address, which duplicate detection keeps back for a second or two.
  for (const netns of [node, pod, remote, outside]) netns.run(['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']);
  connectNetns(
    { netns: node, name: 'pod', addresses: ['10.244.1.1/24', 'fd00:10:244:1::1/64'] },
    { netns: pod, name: 'eth0', addresses: ['10.244.1.5/24', 'fd00:10:244:1::5/64'] },
  );
  connectNetns(
    { netns: node, name: 'remote', addresses: ['10.0.0.1/24', 'fd00:10::1/64'] },
    { netns: remote, name: 'eth0', addresses: ['10.0.0.2/24', 'fd00:10::2/64'] },
  );
  connectNetns(
    { netns: node, name: 'outside', addresses: ['192.0.2.254/24', '2001:db8::fe/64'] },
    { netns: outside, name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
  );
  for (const address of ['10.244.2.5/32', 'fd00:10:244:2::5/128']) ip(remote, `addr add ${address} dev lo`);
  node.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  ip(
    node,
    'route add 10.244.2.0/24 via 10.0.0.2',
    'route add fd00:10:244:2::/64 via fd00:10::2',
    'route add 239.0.0.0/8 dev outside',
    'route add ff0e::/16 dev outside table local',
  );
  ip(pod, 'route add default via 10.244.1.1', 'route add default via fd00:10:244:1::1');
  // Both ways without NAT, so that a packet that escapes translation is answered and seen like any other.
  for (const [netns, v4, v6] of [
    [remote, '10.0.0.1', 'fd00:10::1'],
    [outside, '192.0.2.254', '2001:db8::fe'],
  ] as const) {
    ip(netns, `route add default via ${v4}`, `route add default via ${v6}`);
  }
  kernel = createNftTrafficKernel({ netns: node.path });
});

afterAll(() => {
  kernel.close();
  for (const netns of [node, pod, remote, outside]) netns[Symbol.dispose]();
});

beforeEach(async () => {
  node.run(['nft', 'flush', 'ruleset']);
  await kernel.apply(RULES);
  for (const netns of [pod, remote, outside]) {
    nft(
      netns,
      `flush ruleset
table inet watch {
  set v4 { type ipv4_addr; flags dynamic; size 100; }
  set v6 { type ipv6_addr; flags dynamic; size 100; }
  chain in {
    type filter hook prerouting priority raw
    icmp type echo-request update @v4 { ip saddr }
    icmpv6 type echo-request update @v6 { ip6 saddr }
  }
}`,
    );
  }
});

function ip(netns: TestNetns, ...commands: readonly string[]): void {
  for (const command of commands) netns.run(['ip', ...(command.includes(':') ? ['-6'] : []), ...command.split(' ')]);
}

function nft(netns: TestNetns, text: string): void {
  netns.run(['nft', '-f', '-'], { stdin: `${text}\n` });
}

/** One echo request from a fresh flow. */
function ping(from: TestNetns, to: string, ...options: readonly string[]): void {
  from.exec(['ping', '-n', '-c', '1', '-W', '1', ...options, to]);
}

/** Sources of the echo requests that came in since the rules were made, as nft tells. */
function sources(netns: TestNetns, family: string): string[] {
  const name = family === 'IPv4' ? 'v4' : 'v6';
  const answer = netns.json(['nft', '-j', 'list', 'set', 'inet', 'watch', name]) as {
    nftables: { set?: { elem?: string[] } }[];
  };
  return answer.nftables.flatMap(({ set }) => set?.elem ?? []);
}

/** Packets that our rule with that comment has counted, both families together. */
function counted(comment: string): number {
  const answer = node.json(['nft', '-j', 'list', 'table', 'inet', RULES.name]) as {
    nftables: { rule?: { comment?: string; expr: { counter?: { packets: number } }[] } }[];
  };
  return answer.nftables
    .flatMap(({ rule }) => (rule?.comment === comment ? rule.expr : []))
    .reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0);
}

describe.each([V4, V6])('$name', (at) => {
  test('pod → outside: the node’s address', () => {
    ping(pod, at.outside);
    expect(sources(outside, at.name)).toEqual([at.nodeToOutside]);
    expect(counted('pods to outside the cluster')).toBe(1);
  });

  test('pod → pod of another node: the pod’s address', () => {
    ping(pod, at.remotePod);
    expect(sources(remote, at.name)).toEqual([at.pod]);
  });

  test('pod of another node → pod: the pod’s address', () => {
    ping(remote, at.pod, '-I', at.remotePod);
    expect(sources(pod, at.name)).toEqual([at.remotePod]);
  });

  test('outside → pod: the client’s address', () => {
    ping(outside, at.pod);
    expect(sources(pod, at.name)).toEqual([at.outside]);
  });

  test('host with an address outside the cluster → pod of another node: masqueraded', () => {
    ping(node, at.remotePod, '-I', at.nodeToOutside);
    expect(sources(remote, at.name)).toEqual([at.nodeToRemote]);
    expect(counted('outside to pods of other nodes')).toBe(1);
  });

  test('host with an address of the cluster → pod of another node: kept', () => {
    ping(node, at.remotePod, '-I', at.podGateway);
    expect(sources(remote, at.name)).toEqual([at.podGateway]);
  });

  test('outside → pod of another node, relayed here: masqueraded', () => {
    ping(outside, at.remotePod);
    expect(sources(remote, at.name)).toEqual([at.nodeToRemote]);
  });

  test('host → outside: not touched', () => {
    ping(node, at.outside);
    expect(sources(outside, at.name)).toEqual([at.nodeToOutside]);
    expect(counted('pods to outside the cluster')).toBe(0);
  });

  test('multicast from an address of the cluster: kept', () => {
    ping(node, at.multicast, '-I', at.podGateway, '-I', 'outside');
    expect(sources(outside, at.name)).toEqual([at.podGateway]);
  });

  test.each([
    { mark: '0x4000', left: true },
    { mark: '0x4001', left: true },
    { mark: '0xffffffff', left: true },
    { mark: '0x8000', left: false },
    { mark: '0x1', left: false },
  ])('mark $mark is left to kube-proxy: $left', ({ mark, left }) => {
    nft(
      node,
      `add table inet marks
add chain inet marks c { type filter hook prerouting priority mangle; }
add rule inet marks c meta mark set ${mark}`,
    );
    ping(pod, at.outside);
    expect(sources(outside, at.name)).toEqual([left ? at.pod : at.nodeToOutside]);
    expect(counted('kube-proxy masquerades what it has marked')).toBe(left ? 1 : 0);
  });

  test('without the table the pod’s address goes out: the tests above can fail', async () => {
    await kernel.remove(RULES.name);
    ping(pod, at.outside);
    expect(sources(outside, at.name)).toEqual([at.pod]);
  });
});

test('what others drop does not reach the counters of forwarded packets, what they let pass does', () => {
  ping(pod, V4.outside);
  expect(counted('from pods, dropped by nobody')).toBe(1);
  expect(counted('to pods, dropped by nobody')).toBe(1);
  nft(
    node,
    'add table inet theirs\nadd chain inet theirs c { type filter hook forward priority filter; policy drop; }',
  );
  ping(pod, V4.outside);
  expect(counted('from pods, dropped by nobody')).toBe(1);
  expect(sources(outside, 'IPv4')).toEqual([V4.nodeToOutside]);
});
