import { parsePort, parseVni, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { compileNetwork, pathsNeeded } from './compile-network.ts';
import {
  conf,
  dualPeer,
  endpoint4,
  input,
  ip,
  link as unwrapLink,
  mac,
  OWN4,
  OWN6,
  peer,
  VXLAN,
} from './testing/cluster.ts';
import { show } from './testing/show.ts';

const HOST_GW = conf({ backend: { type: 'host-gw' } });
const announcing = (number: number) => peer(number, { backendType: 'host-gw' });

describe('host-gw', () => {
  test('IPv4 and IPv6: one route by the peer itself, no device, the whole MTU', () => {
    const { state, podMtuBytes } = compileNetwork(
      input({ conf: HOST_GW, families: [OWN4, OWN6], peers: [dualPeer(2, { backendType: 'host-gw' })] }),
    );
    expect(show(state)).toEqual([
      'route 10.244.1.0/24 blackhole metric 4294967295',
      'route 10.244.2.0/24 via 192.0.2.2 dev eth0',
      'route fd00:10:244:1::/64 blackhole metric 4294967295',
      'route fd00:10:244:2::/64 via 2001:db8::2 dev eth0',
      'sysctl ipv4 all forwarding=1',
      'sysctl ipv4 eth0 forwarding=1',
      'sysctl ipv6 all forwarding=1',
    ]);
    expect(podMtuBytes).toBe(1500);
  });

  test('a peer behind a router is reported with its cure; flannel drops its traffic unseen', () => {
    const { state, problems } = compileNetwork(
      input({
        conf: HOST_GW,
        peers: [announcing(2), announcing(3)],
        paths: { '192.0.2.3': { type: 'gateway', link: OWN4.link, gateway: ip('192.0.2.254') } },
      }),
    );
    expect(state.routes).toHaveLength(2);
    expect(problems).toMatchObject([{ code: 'PeerNotAdjacent', peer: 'node-3', severity: 'error' }]);
    expect(problems[0]?.message).toContain('behind the router 192.0.2.254');
    expect(problems[0]?.cure).toContain('DirectRouting');
  });

  test('a public address that is not on the interface is reported: NAT and host-gw do not go together', () => {
    const { problems } = compileNetwork(
      input({ conf: HOST_GW, peers: [], families: [{ ...OWN4, publicIp: ip('198.51.100.7') }] }),
    );
    expect(problems).toMatchObject([{ code: 'PublicIpNotLocal', severity: 'error' }]);
  });

  test('peers on another interface than the external one are reached by theirs', () => {
    const path = { type: 'direct', link: OWN6.link } as const;
    const { state } = compileNetwork(
      input({ conf: HOST_GW, peers: [announcing(2)], paths: { '192.0.2.2': { ...path, link: unwrapLink('eth1') } } }),
    );
    expect(show(state)).toContain('route 10.244.2.0/24 via 192.0.2.2 dev eth1');
  });

  test('paths are asked for where they decide: host-gw peers always, vxlan peers with DirectRouting', () => {
    const peers = [announcing(2), peer(3)];
    expect(pathsNeeded(HOST_GW, peers)).toEqual([ip('192.0.2.2')]);
    expect(pathsNeeded(conf(), peers)).toEqual([ip('192.0.2.2')]);
    expect(pathsNeeded(conf({ backend: { ...VXLAN, directRouting: true } }), peers)).toHaveLength(2);
  });
});

describe('a cluster that changes its backend node by node', () => {
  test('host-gw node: a peer that still announces vxlan is reached by vxlan, and our receiving device stays', () => {
    const { state, podMtuBytes, problems, announcement } = compileNetwork(
      input({ conf: HOST_GW, peers: [announcing(2), peer(3)] }),
    );
    expect(show(state).filter((line) => /^(?:link|addr|neigh|fdb|route)/.test(line))).toEqual([
      'link flannel.1 vxlan id 1 dev eth0 local 192.0.2.1 dstport 8472 mtu 1450 address 02:00:00:00:00:01',
      'addr 10.244.1.0/32 dev flannel.1',
      'neigh 10.244.3.0 lladdr 02:00:00:00:00:03 dev flannel.1',
      'fdb 02:00:00:00:00:03 dst 192.0.2.3 dev flannel.1',
      'route 10.244.1.0/24 blackhole metric 4294967295',
      'route 10.244.2.0/24 via 192.0.2.2 dev eth0',
      'route 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
    ]);
    expect(podMtuBytes).toBe(1450);
    expect(problems).toEqual([]);
    expect(announcement.endpoints[0]).not.toHaveProperty('vtep');
    expect(show(state)).toContain('sysctl ipv4 eth0 rp_filter=2 (report)');
  });

  test('vxlan node: a peer that announces host-gw is routed to', () => {
    const { state } = compileNetwork(input({ peers: [announcing(2), peer(3)] }));
    expect(show(state)).toContain('route 10.244.2.0/24 via 192.0.2.2 dev eth0');
    expect(show(state)).toContain('route 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink');
  });

  test('when the last peer has changed, the device is no longer wanted', () => {
    const { state, podMtuBytes } = compileNetwork(input({ conf: HOST_GW, peers: [announcing(2), announcing(3)] }));
    expect(state.links).toEqual([]);
    expect(podMtuBytes).toBe(1500);
  });

  test('the device keeps the VNI that most peers announce and the port it has', () => {
    const vni = unwrap(parseVni('7'));
    const port = unwrap(parsePort('4789'));
    const old = [2, 3].map((number) =>
      peer(number, { endpoints: [endpoint4(number, { vtep: { vni, mac: macOf(number) } })] }),
    );
    const { state } = compileNetwork(
      input({
        conf: HOST_GW,
        peers: [...old, peer(4)],
        kernel: { nexthopObjects: false, ipv6: true, vxlanPorts: new Map([[vni, port]]) },
      }),
    );
    expect(state.links).toMatchObject([{ name: 'flannel.7', vni, port }]);
    expect(state.fdb).toHaveLength(2);
  });

  test('a backend that canal cannot speak is reported by name', () => {
    const { problems } = compileNetwork(input({ peers: [peer(2, { backendType: 'wireguard' })] }));
    expect(problems).toMatchObject([{ code: 'UnsupportedBackend', peer: 'node-2' }]);
    expect(problems[0]?.message).toContain('"wireguard"');
  });
});

function macOf(number: number) {
  return mac(`02:00:00:00:01:0${number}`);
}
