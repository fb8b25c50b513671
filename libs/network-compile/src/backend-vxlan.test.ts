import { parsePort, parseVni, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { compileNetwork } from './compile-network.ts';
import { conf, dualPeer, endpoint4, input, ip, mac, OWN4, OWN6, peer, VXLAN } from './testing/cluster.ts';
import { show } from './testing/show.ts';

describe('vxlan', () => {
  test('IPv4: device, base address, neighbour, forwarding entry and onlink route for each peer', () => {
    expect(show(compileNetwork(input()).state)).toEqual([
      'link flannel.1 vxlan id 1 dev eth0 local 192.0.2.1 dstport 8472 mtu 1450 address 02:00:00:00:00:01',
      'addr 10.244.1.0/32 dev flannel.1',
      'neigh 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1',
      'neigh 10.244.3.0 lladdr 02:00:00:00:00:03 dev flannel.1',
      'fdb 02:00:00:00:00:02 dst 192.0.2.2 dev flannel.1',
      'fdb 02:00:00:00:00:03 dst 192.0.2.3 dev flannel.1',
      'route 10.244.1.0/24 blackhole metric 4294967295',
      'route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
      'route 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
      'sysctl ipv4 all forwarding=1',
      'sysctl ipv4 eth0 forwarding=1',
      'sysctl ipv4 flannel.1 forwarding=1',
      'sysctl ipv4 flannel.1 rp_filter=2',
      'sysctl ipv6 flannel.1 accept_ra=0',
    ]);
  });

  test('IPv6 alone: flannel-v6.1, /128, 70 bytes of overhead, the switch of conf/all', () => {
    const { state, podMtuBytes } = compileNetwork(input({ families: [OWN6], peers: [dualPeer(2)] }));
    expect(show(state)).toEqual([
      'link flannel-v6.1 vxlan id 1 dev eth0 local 2001:db8::1 dstport 8472 mtu 1430 address 02:00:00:00:06:01',
      'addr fd00:10:244:1::/128 dev flannel-v6.1',
      'neigh fd00:10:244:2:: lladdr 02:00:00:00:06:02 dev flannel-v6.1',
      'fdb 02:00:00:00:06:02 dst 2001:db8::2 dev flannel-v6.1',
      'route fd00:10:244:1::/64 blackhole metric 4294967295',
      'route fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel-v6.1 onlink',
      'sysctl ipv6 all forwarding=1',
      'sysctl ipv6 flannel-v6.1 disable_ipv6=0',
      'sysctl ipv6 flannel-v6.1 accept_ra=0',
    ]);
    expect(podMtuBytes).toBe(1430);
  });

  test('dual stack: pods get what fits through both tunnels, where flannel gives 1450', () => {
    const compiled = compileNetwork(input({ families: [OWN4, OWN6], peers: [dualPeer(2)] }));
    expect(compiled.state.links.map(({ name, mtuBytes }) => [name, mtuBytes])).toEqual([
      ['flannel.1', 1450],
      ['flannel-v6.1', 1430],
    ]);
    expect(compiled.podMtuBytes).toBe(1430);
  });

  test('nexthop objects carry IPv4 routes; IPv6 routes stay classic', () => {
    const compiled = compileNetwork(
      input({ families: [OWN4, OWN6], peers: [dualPeer(2)], kernel: { nexthopObjects: true, ipv6: true } }),
    );
    expect(show(compiled.state).filter((line) => line.startsWith('route'))).toEqual([
      'route 10.244.1.0/24 blackhole metric 4294967295',
      'route 10.244.2.0/24 nhid via 10.244.2.0 dev flannel.1 onlink',
      'route fd00:10:244:1::/64 blackhole metric 4294967295',
      'route fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel-v6.1 onlink',
    ]);
  });

  test('settings of net-conf.json reach the device', () => {
    const backend = {
      ...VXLAN,
      vni: unwrap(parseVni('42')),
      port: unwrap(parsePort('4789')),
      learning: true,
      gbp: true,
      mtuBytes: 1400,
    };
    const { state } = compileNetwork(input({ conf: conf({ backend }), peers: [] }));
    expect(show(state)[0]).toBe(
      'link flannel.42 vxlan id 42 dev eth0 local 192.0.2.1 dstport 4789 mtu 1350 address 02:00:00:00:00:01 learning gbp',
    );
  });

  test('an MTU above the interface is cut, because the kernel would refuse it, and reported', () => {
    const { state, problems } = compileNetwork(input({ conf: conf({ backend: { ...VXLAN, mtuBytes: 9000 } }) }));
    expect(state.links[0]?.mtuBytes).toBe(1450);
    expect(problems.map(({ code }) => code)).toEqual(['MtuAboveInterface']);
  });

  test('an MTU that leaves no room for IPv6 is an error and makes no device that cannot work', () => {
    const { state, problems } = compileNetwork(input({ families: [{ ...OWN6, linkMtuBytes: 1300 }], peers: [] }));
    expect(state.links).toEqual([]);
    expect(problems[0]).toMatchObject({ code: 'MtuTooSmall', severity: 'error', family: 6 });
    expect(problems[0]?.cure).toContain('at least 1350');
  });

  test('behind NAT the device sends from the local address and the annotation tells the public one', () => {
    const { state, announcement } = compileNetwork(input({ families: [{ ...OWN4, publicIp: ip('198.51.100.7') }] }));
    expect(state.links[0]?.local).toBe(ip('192.0.2.1'));
    expect(announcement).toEqual({
      name: 'node-1',
      backendType: 'vxlan',
      endpoints: [
        {
          family: 4,
          publicIp: ip('198.51.100.7'),
          subnet: OWN4.subnet,
          vtep: { vni: VXLAN.vni, mac: mac('02:00:00:00:00:01') },
        },
      ],
    });
  });

  test('without a known MAC the device gets one that never changes', () => {
    const own = { ...OWN4 };
    delete (own as { vtepMac?: unknown }).vtepMac;
    const macs = [1, 2].map(() => compileNetwork(input({ families: [own] })).state.links[0]?.mac);
    expect(macs[0]).toBe(macs[1]);
    expect(macs[0]).toMatch(/^[0-9a-f][26ae]:/);
  });

  test('a VNI that makes the name too long is an error in words', () => {
    const backend = { ...VXLAN, vni: unwrap(parseVni('10000')) };
    const { state, problems } = compileNetwork(input({ families: [OWN6], conf: conf({ backend }), peers: [] }));
    expect(state.links).toEqual([]);
    expect(problems[0]).toMatchObject({ code: 'InvalidVni', cure: expect.stringContaining('9999') as string });
  });

  test.each([
    { title: 'another VNI', vtep: { vni: unwrap(parseVni('7')), mac: mac('02:00:00:00:00:02') }, code: 'VniMismatch' },
    { title: 'a group MAC', vtep: { vni: VXLAN.vni, mac: mac('01:00:5e:00:00:01') }, code: 'InvalidVtep' },
    { title: 'a zero MAC', vtep: { vni: VXLAN.vni, mac: mac('00:00:00:00:00:00') }, code: 'InvalidVtep' },
    { title: "this node's MAC", vtep: { vni: VXLAN.vni, mac: mac('02:00:00:00:00:01') }, code: 'DuplicateVtepMac' },
    { title: "another peer's MAC", vtep: { vni: VXLAN.vni, mac: mac('02:00:00:00:00:02') }, code: 'DuplicateVtepMac' },
  ])('a peer with $title is reported and left out, the others stay', ({ vtep, code }) => {
    const hostile = peer(3, { endpoints: [endpoint4(3, { vtep })] });
    const { state, problems } = compileNetwork(input({ peers: [peer(2), hostile] }));
    expect(problems).toMatchObject([{ code, severity: 'error', peer: 'node-3', family: 4 }]);
    expect(state.fdb.map(({ remote }) => remote)).toEqual([ip('192.0.2.2')]);
    expect(state.routes).toHaveLength(2);
  });
});

describe('DirectRouting', () => {
  const direct = conf({ backend: { ...VXLAN, directRouting: true } });

  test('a neighbour is routed to past the tunnel, one behind a router through it; the device stays', () => {
    const { state } = compileNetwork(
      input({
        conf: direct,
        paths: {
          '192.0.2.2': { type: 'direct', link: OWN4.link },
          '192.0.2.3': { type: 'gateway', link: OWN4.link, gateway: ip('192.0.2.254') },
        },
      }),
    );
    expect(show(state).filter((line) => /^(?:link|neigh|fdb|route)/.test(line))).toEqual([
      'link flannel.1 vxlan id 1 dev eth0 local 192.0.2.1 dstport 8472 mtu 1450 address 02:00:00:00:00:01',
      'neigh 10.244.3.0 lladdr 02:00:00:00:00:03 dev flannel.1',
      'fdb 02:00:00:00:00:03 dst 192.0.2.3 dev flannel.1',
      'route 10.244.1.0/24 blackhole metric 4294967295',
      'route 10.244.2.0/24 via 192.0.2.2 dev eth0',
      'route 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
    ]);
  });

  test('paths that were not looked up are told by the connected networks', () => {
    const { state } = compileNetwork(input({ conf: direct, peers: [peer(2), peer(3, far(3))] }));
    expect(
      show(state).filter((line) => line.startsWith('route 10.244.2') || line.startsWith('route 10.244.3')),
    ).toEqual([
      'route 10.244.2.0/24 via 192.0.2.2 dev eth0',
      'route 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
    ]);
  });

  test('strict reverse path filtering on the external interface is asked about, not changed', () => {
    expect(show(compileNetwork(input({ conf: direct })).state)).toContain('sysctl ipv4 eth0 rp_filter=2 (report)');
  });

  function far(number: number) {
    return { endpoints: [endpoint4(number, { publicIp: ip(`198.51.100.${number}`) })] };
  }
});
