import { parseCidr4, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { compileNetwork } from './compile-network.ts';
import { cidr, conf, endpoint4, endpoint6, input, ip, link, mac, OWN4, OWN6, peer, VXLAN } from './testing/cluster.ts';

const ADDRESSES = [
  { title: 'multicast', publicIp: '224.0.0.5', words: 'a multicast address' },
  { title: 'loopback', publicIp: '127.0.0.1', words: 'a loopback address' },
  { title: 'unspecified', publicIp: '0.0.0.0', words: 'this network' },
  { title: 'broadcast', publicIp: '255.255.255.255', words: 'the broadcast address' },
  { title: "this node's", publicIp: '192.0.2.1', words: 'an address of this node' },
  { title: "this node's second", publicIp: '203.0.113.9', words: 'an address of this node' },
  { title: "inside this node's pod subnet", publicIp: '10.244.1.9', words: 'inside the pod subnet of node node-1' },
  { title: 'inside its own pod subnet', publicIp: '10.244.2.9', words: 'inside the pod subnet of node node-2' },
  {
    title: "inside a younger peer's pod subnet",
    publicIp: '10.244.3.9',
    words: 'inside the pod subnet of node node-3',
  },
];

describe('annotations are hostile', () => {
  test.each(ADDRESSES)('IPv4 address that is $title', ({ publicIp, words }) => {
    const hostile = peer(2, { endpoints: [endpoint4(2, { publicIp: ip(publicIp) })] });
    const ownAddresses = [ip('192.0.2.1'), ip('203.0.113.9')];
    const { state, problems } = compileNetwork(input({ peers: [hostile, peer(3)], ownAddresses }));
    expect(problems).toMatchObject([{ code: 'InvalidPublicIp', peer: 'node-2' }]);
    expect(problems[0]?.message).toContain(words);
    expect(state.fdb).toHaveLength(1);
  });

  test.each(['::1', '::', 'ff02::1', 'fe80::1', '::ffff:192.0.2.9', '2001:db8::1', 'fd00:10:244:1::9'])(
    'IPv6 address %s',
    (publicIp) => {
      const hostile = peer(2, { endpoints: [endpoint6(2, { publicIp: ip(publicIp) })] });
      const { problems } = compileNetwork(input({ families: [OWN6], peers: [hostile] }));
      expect(problems).toMatchObject([{ code: 'InvalidPublicIp', family: 6 }]);
    },
  );

  test.each([
    { title: 'outside the cluster network', subnet: '10.245.2.0/24', code: 'SubnetOutsideNetwork' },
    { title: 'larger than the cluster network', subnet: '10.0.0.0/8', code: 'SubnetOutsideNetwork' },
    { title: 'the whole cluster network, ours in it', subnet: '10.244.0.0/16', code: 'DuplicateLease' },
    { title: 'ours', subnet: '10.244.1.0/24', code: 'DuplicateLease' },
    { title: 'a part of ours', subnet: '10.244.1.128/25', code: 'DuplicateLease' },
    { title: "a peer's", subnet: '10.244.2.0/24', code: 'DuplicateLease' },
    { title: "around a peer's", subnet: '10.244.2.0/23', code: 'DuplicateLease' },
    { title: "a part of a peer's", subnet: '10.244.2.64/26', code: 'DuplicateLease' },
  ])('a subnet that is $title draws no traffic', ({ subnet, code }) => {
    const hostile = peer(3, { endpoints: [endpoint4(3, { subnet: cidr(subnet) })] });
    const { state, problems } = compileNetwork(input({ peers: [hostile, peer(2)] }));
    expect(problems).toMatchObject([{ code, peer: 'node-3', severity: 'error' }]);
    expect(state.routes.map(({ destination }) => destination)).toEqual([OWN4.subnet, cidr('10.244.2.0/24')]);
  });

  test("nodes inside the cluster network are peers as long as their addresses are in nobody's pod subnet", () => {
    const own = { ...OWN4, source: ip('10.1.0.1'), publicIp: ip('10.1.0.1'), onLinkNetworks: [cidr('10.1.0.0/16')] };
    const wide = conf({ network: unwrap(parseCidr4('10.0.0.0/8')) });
    const peers = [2, 3].map((n) => peer(n, { endpoints: [endpoint4(n, { publicIp: ip(`10.1.0.${n}`) })] }));
    const { state, problems } = compileNetwork(input({ conf: wide, families: [own], peers }));
    expect(problems).toEqual([]);
    expect(state.fdb).toHaveLength(2);
  });

  const LANS = [
    { link: link('eth0'), network: cidr('192.0.2.0/24') },
    { link: link('eth1'), network: cidr('10.244.64.0/20') },
  ];
  test.each([
    { title: 'inside', subnet: '10.244.65.0/24', taken: true },
    { title: 'equal to', subnet: '10.244.64.0/20', taken: true },
    { title: 'around', subnet: '10.244.64.0/18', taken: true },
    { title: 'beside', subnet: '10.244.80.0/24', taken: false },
  ])('a subnet $title a network of this host: refused $taken', ({ subnet, taken }) => {
    const other = peer(2, { endpoints: [endpoint4(2, { subnet: cidr(subnet) })] });
    const base = input({ peers: [other, peer(3)] });
    const { state, problems } = compileNetwork({ ...base, node: { ...base.node, hostNetworks: LANS } });
    expect(state.fdb).toHaveLength(taken ? 1 : 2);
    expect(problems.map(({ code, peer: name }) => [code, name])).toEqual(
      taken ? [['SubnetOverlapsHost', 'node-2']] : [],
    );
    if (taken) expect(problems[0]?.message).toContain('10.244.64.0/20, a network of this host on eth1');
  });

  test('of two nodes with one subnet the older keeps it, by name when their age is unknown', () => {
    const claim = (name: string, number: number, createdMs?: number) =>
      peer(number, {
        name,
        endpoints: [endpoint4(number, { subnet: cidr('10.244.9.0/24') })],
        ...(createdMs === undefined ? {} : { createdMs }),
      });
    const losers = (...peers: ReturnType<typeof claim>[]) =>
      compileNetwork(input({ peers })).problems.map((p) => p.peer);
    expect(losers(claim('b', 2), claim('a', 3))).toEqual(['b']);
    expect(losers(claim('b', 2, 1000), claim('a', 3, 2000))).toEqual(['a']);
    expect(losers(claim('a', 2), claim('b', 3, 5))).toEqual(['a']);
  });

  test('one address for two nodes is a warning: both are programmed', () => {
    const twin = peer(3, { endpoints: [endpoint4(3, { publicIp: ip('192.0.2.2') })] });
    const { state, problems } = compileNetwork(input({ peers: [peer(2), twin] }));
    expect(problems).toMatchObject([{ code: 'DuplicatePublicIp', severity: 'warning', peer: 'node-3' }]);
    expect(state.fdb).toHaveLength(2);
  });

  test('this node itself among the peers is passed over', () => {
    const self = peer(9, { name: 'node-1', endpoints: [endpoint4(1)] });
    expect(compileNetwork(input({ peers: [self] }))).toMatchObject({ problems: [] });
  });

  test('a family that this node does not use is passed over, a family without a network has no peers', () => {
    const both = peer(2, { endpoints: [endpoint4(2), endpoint6(2)] });
    expect(compileNetwork(input({ peers: [both] })).state.fdb).toHaveLength(1);
    const { ipv6Network: _, ...withoutIpv6 } = conf();
    const { problems } = compileNetwork(input({ conf: withoutIpv6, families: [OWN6], peers: [both] }));
    expect(problems).toMatchObject([{ code: 'SubnetOutsideNetwork' }]);
  });

  test('every problem names a cure', () => {
    const peers = [
      peer(2, { endpoints: [endpoint4(2, { publicIp: ip('127.0.0.1') })] }),
      peer(3, { endpoints: [endpoint4(3, { subnet: OWN4.subnet })] }),
      peer(4, { endpoints: [endpoint4(4, { vtep: { vni: VXLAN.vni, mac: mac('01:00:00:00:00:00') } })] }),
      peer(5, { backendType: 'ipip' }),
    ];
    for (const problem of compileNetwork(input({ peers })).problems) {
      expect(problem.message).toContain(problem.peer);
      expect(problem.cure.length).toBeGreaterThan(20);
    }
  });
});
