import type { ActualLink, Attachment } from '@canal/model';
import { parseInterfaceAddress, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { compilePods } from './compile-pods.ts';
import { ip, link, mac } from './testing/cluster.ts';
import { show } from './testing/show.ts';

function attachment(changes: Partial<Attachment> = {}): Attachment {
  return {
    network: 'canal',
    containerId: 'c1',
    containerInterface: link('eth0'),
    netns: '/run/netns/pod1',
    mode: 'routed',
    hostInterface: link('cnl00000000001'),
    hostMac: mac('02:00:00:00:0a:01'),
    containerMac: mac('02:00:00:00:0b:01'),
    addresses: ['10.244.1.5/32', 'fd00:10:244:1::5/128'].map((text) => unwrap(parseInterfaceAddress(text))),
    gateways: [ip('169.254.1.1'), ip('fe80::1')],
    mtuBytes: 1450,
    bootId: 'b',
    ...changes,
  };
}

function veth(name: string): ActualLink {
  return { name: link(name), kind: 'veth', up: true, carrier: true, loopback: false, mtuBytes: 1450 };
}

test('a routed pod has a host route and a permanent neighbour per address, and its device is up and forwards', () => {
  expect(show(compilePods([attachment()], [veth('cnl00000000001')]).state)).toEqual([
    'link cnl00000000001 up',
    'neigh 10.244.1.5 lladdr 02:00:00:00:0b:01 dev cnl00000000001',
    'neigh fd00:10:244:1::5 lladdr 02:00:00:00:0b:01 dev cnl00000000001',
    'route 10.244.1.5/32 dev cnl00000000001',
    'route fd00:10:244:1::5/128 dev cnl00000000001',
    'sysctl ipv4 cnl00000000001 forwarding=1',
  ]);
});

test("the node's own IPv6 address is the source towards pods, when it is known", () => {
  const { routes } = compilePods([attachment()], [veth('cnl00000000001')], { source6: ip('2001:db8::1') }).state;
  expect(routes.map(({ source }) => source)).toEqual([undefined, ip('2001:db8::1')]);
});

test('a pod whose device is gone, and one of the boot before, ask for nothing', () => {
  expect(show(compilePods([attachment()], []).state)).toEqual([]);
});

test('a device of that name which is no veth is not a pod', () => {
  expect(show(compilePods([attachment()], [{ ...veth('cnl00000000001'), kind: 'dummy' }]).state)).toEqual([]);
});

test("bridge mode: the bridge is up and forwards, the pod's port is up, all else is the bridge's own affair", () => {
  const bridge: ActualLink = { ...veth('cni0'), kind: 'bridge' };
  const { state } = compilePods([attachment({ mode: 'bridge' })], [veth('cnl00000000001'), bridge]);
  expect(show(state)).toEqual([
    'link cnl00000000001 up',
    'link cni0 up',
    'port cnl00000000001 isolated off',
    'sysctl ipv4 cni0 forwarding=1',
  ]);
});

test('bridge mode where policy is enforced: the bridge answers for the pod, whose port is isolated and the way to it', () => {
  const bridge: ActualLink = { ...veth('cni0'), kind: 'bridge' };
  const pod = attachment({ mode: 'bridge', gateways: [ip('10.244.1.1'), ip('fd00:10:244:1::1')] });
  const links = [veth('cnl00000000001'), bridge];
  const ownAddresses = new Set([ip('10.244.1.1')]);
  const policed = { policed: true, ownAddresses, source6: ip('2001:db8::1') };
  expect(show(compilePods([pod], links, policed).state)).toEqual([
    'link cnl00000000001 up',
    'link cni0 up',
    'port cnl00000000001 isolated on',
    'neigh 10.244.1.5 lladdr 02:00:00:00:0b:01 dev cnl00000000001',
    'neigh fd00:10:244:1::5 lladdr 02:00:00:00:0b:01 dev cnl00000000001',
    'neigh proxy fd00:10:244:1::5 dev cni0',
    'route 10.244.1.5/32 dev cnl00000000001 src 10.244.1.1',
    'route fd00:10:244:1::5/128 dev cnl00000000001 src 2001:db8::1',
    'sysctl ipv4 cni0 forwarding=1',
    'sysctl ipv4 cni0 proxy_arp=1',
    'sysctl ipv4 cni0 proxy_arp_pvlan=1',
    'sysctl ipv4 cni0 proxy_delay=0',
    'sysctl ipv4 cni0 send_redirects=0',
    'sysctl ipv4 cni0 rp_filter=2',
    'sysctl ipv6 cni0 proxy_ndp=1',
    'sysctl ipv6 cni0 proxy_delay=0',
  ]);
  // Routed pods ask for no more than without.
  expect(compilePods([attachment()], links.slice(0, 1), policed)).toEqual(
    compilePods([attachment()], links.slice(0, 1), { source6: ip('2001:db8::1') }),
  );
});

test('two records with one address are reported; the route stays with one of them, whatever their order', () => {
  const other = attachment({ containerId: 'c2', hostInterface: link('cnl00000000002') });
  const links = [veth('cnl00000000001'), veth('cnl00000000002')];
  const forward = compilePods([attachment(), other], links);
  const backward = compilePods([other, attachment()], links);
  expect(forward).toEqual(backward);
  expect(forward.problems).toMatchObject([{ code: 'DuplicatePodAddress' }, { code: 'DuplicatePodAddress' }]);
  expect(forward.state.routes).toHaveLength(2);
});
