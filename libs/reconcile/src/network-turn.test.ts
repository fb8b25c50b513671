import { FakeKernel } from '@canal/kernel-fake';
import type { ActualRoute, NetworkState, VxlanLink } from '@canal/model';
import { EMPTY_STATE } from '@canal/network-compile';
import {
  type InterfaceName,
  parseCidr,
  parseInterfaceName,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  unwrap,
} from 'net-types';
import { describe, expect, test } from 'vitest';
import { turnNetwork } from './network-turn.ts';

const ip = (text: string) => unwrap(parseIp(text));
const cidr = (text: string) => unwrap(parseCidr(text));
const mac = (text: string) => unwrap(parseMac(text));
const name = (text: string): InterfaceName => unwrap(parseInterfaceName(text));

const FLANNEL = name('flannel.1');
const DEVICE: VxlanLink = {
  kind: 'vxlan',
  name: FLANNEL,
  vni: unwrap(parseVni('1')),
  underlay: name('eth0'),
  local: ip('192.0.2.1'),
  port: unwrap(parsePort('8472')),
  learning: false,
  gbp: false,
  mtuBytes: 1450,
  mac: mac('02:00:00:00:00:01'),
};

function stateOf(...peers: readonly number[]): NetworkState {
  return {
    ...EMPTY_STATE,
    links: [DEVICE],
    addresses: [{ link: FLANNEL, address: { ip: ip('10.244.1.0'), prefixLen: 32 } }],
    neighbours: peers.map((n) => ({ link: FLANNEL, ip: ip(`10.244.${n}.0`), mac: mac(`02:00:00:00:00:0${n}`) })),
    fdb: peers.map((n) => ({ link: FLANNEL, mac: mac(`02:00:00:00:00:0${n}`), remote: ip(`192.0.2.${n}`) })),
    nexthops: peers.map((n) => ({
      id: 0x0ca0_0000 + n,
      family: 4,
      link: FLANNEL,
      gateway: ip(`10.244.${n}.0`),
      onlink: true,
    })),
    routes: peers.map((n) => ({
      protocol: 203,
      destination: cidr(`10.244.${n}.0/24`),
      metric: 0,
      target: { type: 'nexthop', id: 0x0ca0_0000 + n },
    })),
    sysctls: [{ link: FLANNEL, family: 4, name: 'forwarding', value: 1, enforce: true }],
  };
}

function machine(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.addInterface({
    name: name('eth0'),
    up: true,
    carrier: true,
    loopback: false,
    pointToPoint: false,
    mtuBytes: 1500,
    addresses: [],
    onLinkNetworks: [cidr('192.0.2.0/24')],
  });
  return kernel;
}

const turn = (kernel: FakeKernel, state: NetworkState, inSync = true) => turnNetwork(kernel, () => state, { inSync });

describe('turnNetwork', () => {
  test('brings an empty kernel to the state in one pass; a second one writes nothing', async () => {
    const kernel = machine();
    const report = await turn(kernel, stateOf(2, 3));
    expect(report).toMatchObject({ failures: [], conflicts: [], readOnlySysctls: [] });
    expect(report.performed).toHaveLength(11);
    expect((await turn(kernel, stateOf(2, 3))).performed).toEqual([]);
  });

  test('what somebody else deletes comes back, and only that', async () => {
    const kernel = machine();
    const state = stateOf(2, 3);
    await turn(kernel, state);
    const [neighbour] = state.neighbours;
    if (neighbour === undefined) throw new Error('no neighbour');
    kernel.bySomebodyElse({ type: 'neighbour-delete', neighbour });
    expect((await turn(kernel, state)).performed).toEqual([{ type: 'neighbour-set', neighbour }]);
  });

  test('a deleted device comes back in one pass with all that was on it', async () => {
    const kernel = machine();
    await turn(kernel, stateOf(2, 3));
    kernel.bySomebodyElse({ type: 'link-delete', name: FLANNEL });
    expect((await turn(kernel, stateOf(2, 3))).performed).toHaveLength(11);
    expect((await turn(kernel, stateOf(2, 3))).performed).toEqual([]);
  });

  test('a refused operation is the only one missing; the next pass does just that one', async () => {
    const kernel = machine();
    kernel.failNext('fdb-set', 'ENOBUFS');
    const report = await turn(kernel, stateOf(2, 3));
    expect(report.failures.map(({ text }) => text)).toEqual([
      'fdb set 02:00:00:00:00:02 dst 192.0.2.2 dev flannel.1: asked for by failNext (ENOBUFS)',
    ]);
    expect((await turn(kernel, stateOf(2, 3))).performed.map(({ type }) => type)).toEqual(['fdb-set']);
  });

  test('peers that left while nobody looked are removed, once the store is in sync', async () => {
    const kernel = machine();
    await turn(kernel, stateOf(2, 3));
    expect((await turn(kernel, stateOf(3), false)).performed).toEqual([]);
    expect((await turn(kernel, stateOf(3))).performed.map(({ type }) => type)).toEqual([
      'route-delete',
      'nexthop-delete',
      'neighbour-delete',
      'fdb-delete',
    ]);
  });

  test('a route of somebody else in our place is left alone and told with its cure', async () => {
    const kernel = machine();
    const foreign: ActualRoute = {
      protocol: 4,
      destination: cidr('10.244.2.0/24'),
      metric: 0,
      target: { type: 'gateway', gateway: ip('192.0.2.99'), link: name('eth0'), onlink: false },
    };
    kernel.putForeign({ route: foreign });
    const report = await turn(kernel, stateOf(2, 3));
    expect(report.failures).toEqual([]);
    expect(report.conflicts).toMatchObject([{ code: 'RouteTaken' }]);
    expect(report.conflicts[0]?.cure).toContain('ip route delete 10.244.2.0/24 proto 4 metric 0');
    expect([...kernel.tables.routes.values()]).toContain(foreign);
  });

  test("flannel's own routes on the device it left us are taken over, those of gone peers removed", async () => {
    const kernel = machine();
    await turn(kernel, stateOf());
    for (const number of [2, 9]) {
      kernel.putForeign({
        route: {
          protocol: 3,
          destination: cidr(`10.244.${number}.0/24`),
          metric: 0,
          target: { type: 'gateway', gateway: ip(`10.244.${number}.0`), link: FLANNEL, onlink: true },
        },
      });
    }
    const report = await turn(kernel, stateOf(2));
    expect(report.performed.map(({ type }) => type)).toContain('route-replace');
    expect(report.performed.map(({ type }) => type)).toContain('route-delete');
    expect([...kernel.tables.routes.values()].map(({ protocol }) => protocol)).toEqual([203]);
  });

  test('a switch that may not be written is told by name and fails nothing', async () => {
    const kernel = machine();
    kernel.failNext('sysctl-set', 'EROFS');
    const report = await turn(kernel, stateOf(2));
    expect(report).toMatchObject({ failures: [], conflicts: [] });
    expect(report.readOnlySysctls).toMatchObject([{ path: 'net.ipv4.conf.flannel/1.forwarding', value: 1 }]);
  });

  test.each([
    { title: 'a default for devices to come', link: 'all', family: 4, name: 'forwarding', value: 1 },
    { title: 'a hardening', link: FLANNEL, family: 6, name: 'accept_ra', value: 0 },
  ] as const)(
    'a switch that is only $title is reported and stops nothing',
    async ({ link, family, name: sysctl, value }) => {
      const kernel = machine();
      kernel.putForeign({ sysctl: { link: 'all', family: 4, name: 'forwarding', value: 0 } });
      kernel.failNext('sysctl-set', 'EROFS');
      const state: NetworkState = { ...stateOf(2), sysctls: [{ link, family, name: sysctl, value, enforce: true }] };
      const report = await turn(kernel, state);
      expect(report).toMatchObject({ failures: [], readOnlySysctls: [], conflicts: [{ code: 'SysctlDiffers' }] });
      expect(report.conflicts[0]?.cure).toContain('on the host: sysctl -w');
    },
  );
});
