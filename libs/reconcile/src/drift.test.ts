import { FakeKernel } from '@canal/kernel-fake';
import {
  type ActualLink,
  type ActualRoute,
  type DesiredRoute,
  LINK_ALIAS,
  type NetworkState,
  type VxlanLink,
} from '@canal/model';
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
import { createDrift } from './drift.ts';
import { turnNetwork } from './network-turn.ts';

const ip = (text: string) => unwrap(parseIp(text));
const cidr = (text: string) => unwrap(parseCidr(text));
const mac = (text: string) => unwrap(parseMac(text));
const name = (text: string): InterfaceName => unwrap(parseInterfaceName(text));

const ETH0 = name('eth0');
const FLANNEL = name('flannel.1');
const POD = name('cnl00000000001');
const DEVICE: VxlanLink = {
  kind: 'vxlan',
  name: FLANNEL,
  vni: unwrap(parseVni('1')),
  underlay: ETH0,
  local: ip('192.0.2.1'),
  port: unwrap(parsePort('8472')),
  learning: false,
  gbp: false,
  mtuBytes: 1450,
  mac: mac('02:00:00:00:00:01'),
};

const OTHER_PORT: VxlanLink = { ...DEVICE, port: unwrap(parsePort('4789')) };

/** A node with a tunnel to these peers. */
function tunnel(peers: readonly number[], link = DEVICE): NetworkState {
  return {
    ...EMPTY_STATE,
    links: [link],
    addresses: [{ link: FLANNEL, address: { ip: ip('10.244.1.0'), prefixLen: 32 } }],
    neighbours: peers.map((n) => ({ link: FLANNEL, ip: ip(`10.244.${n}.0`), mac: mac(`02:00:00:00:00:0${n}`) })),
    fdb: peers.map((n) => ({ link: FLANNEL, mac: mac(`02:00:00:00:00:0${n}`), remote: ip(`192.0.2.${n}`) })),
    nexthops: peers.map((n) => ({
      id: idOf(n),
      family: 4,
      link: FLANNEL,
      gateway: ip(`10.244.${n}.0`),
      onlink: true,
    })),
    routes: peers.map(routeTo),
    sysctls: [{ link: FLANNEL, family: 4, name: 'forwarding', value: 1, enforce: true }],
  };
}

function idOf(peer: number): number {
  return 0x0ca0_0000 + peer;
}

function routeTo(peer: number): DesiredRoute {
  return {
    protocol: 203,
    destination: cidr(`10.244.${peer}.0/24`),
    metric: 0,
    target: { type: 'nexthop', id: idOf(peer) },
  };
}

/** A node without a tunnel: other backends. */
function direct(...peers: readonly number[]): NetworkState {
  return { ...EMPTY_STATE, routes: peers.map((peer) => routeOver(peer, `192.0.2.${peer}`)) };
}

function routeOver(peer: number, gateway: string): DesiredRoute {
  return { ...routeTo(peer), target: { type: 'gateway', gateway: ip(gateway), link: ETH0, onlink: false } };
}

/** Somebody else's, in the way of ours. */
function foreignRoute(peer: number): ActualRoute {
  return { ...routeOver(peer, '192.0.2.99'), protocol: 4 };
}

class Node {
  readonly kernel: FakeKernel;
  /** What the linger is told to keep. */
  kept: readonly InterfaceName[] = [];
  performed = 0;
  readonly #drift = createDrift();

  /** `kernel`: what an earlier process left. */
  constructor(kernel = new FakeKernel()) {
    this.kernel = kernel;
    this.kernel.addInterface({
      name: ETH0,
      up: true,
      carrier: true,
      loopback: false,
      pointToPoint: false,
      mtuBytes: 1500,
      addresses: [],
      onLinkNetworks: [cidr('192.0.2.0/24')],
    });
  }

  /** What a turn tells as repairs. */
  async turn(state: NetworkState, inSync = true): Promise<readonly string[]> {
    const report = await turnNetwork(this.kernel, () => state, {
      inSync,
      linger: { keep: () => new Set(this.kept) },
      drift: this.#drift,
    });
    this.performed = report.performed.length;
    return report.repairs.map(({ text }) => text);
  }

  /** The same, of a turn that is known to write. */
  async change(state: NetworkState, inSync = true): Promise<readonly string[]> {
    const repairs = await this.turn(state, inSync);
    expect(this.performed).toBeGreaterThan(0);
    return repairs;
  }
}

async function nodeWith(state: NetworkState): Promise<Node> {
  const node = new Node();
  await node.change(state);
  return node;
}

describe('what others did is told', () => {
  test('with the kind of the object and in the words of iproute2', async () => {
    const node = await nodeWith(tunnel([2, 3]));
    node.kernel.bySomebodyElse({ type: 'route-delete', route: routeTo(2) });
    expect(await node.turn(tunnel([2, 3]))).toEqual(['route add 10.244.2.0/24 nhid 211812354']);
    expect(await node.turn(tunnel([2, 3]))).toEqual([]);
  });

  test('a device with all that was on it', async () => {
    const node = await nodeWith(tunnel([2]));
    node.kernel.bySomebodyElse({ type: 'link-delete', name: FLANNEL });
    expect(await node.turn(tunnel([2]))).toHaveLength(7);
  });

  test('a device with another port is one repair of a link, and of what it carried', async () => {
    const node = await nodeWith(tunnel([]));
    node.kernel.bySomebodyElse({ type: 'link-delete', name: FLANNEL }, { type: 'link-add', link: OTHER_PORT });
    const repairs = await node.turn(tunnel([]));
    expect(repairs.filter((text) => text.startsWith('link'))).toEqual([
      'link add flannel.1 vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472',
    ]);
    expect(repairs).toContain('address add 10.244.1.0/32 dev flannel.1');
  });

  test('what nobody wanted: a route, a remote, a device', async () => {
    const node = await nodeWith(tunnel([2]));
    node.kernel.putForeign({
      route: { ...routeTo(2), metric: 7 },
      fdb: { link: FLANNEL, mac: mac('02:00:00:00:00:02'), remote: ip('192.0.2.66') },
      link: strayDevice(),
    });
    expect(await node.turn(tunnel([2]))).toEqual([
      'route delete 10.244.2.0/24 metric 7',
      'fdb delete 02:00:00:00:00:02 dst 192.0.2.66 dev flannel.1',
      'link delete flannel.7',
    ]);
  });

  test('a device that was never ours also when it has to stay for a while', async () => {
    const node = await nodeWith(tunnel([2]));
    node.kept = [name('flannel.7')];
    node.kernel.putForeign({ link: strayDevice() });
    expect(await node.turn(tunnel([2]))).toEqual([]);
    expect(await node.turn(tunnel([2]))).toEqual([]);
    node.kept = [];
    expect(await node.turn(tunnel([2]))).toEqual(['link delete flannel.7']);
  });

  test('while what is wanted changes elsewhere', async () => {
    const node = await nodeWith(tunnel([2, 3]));
    node.kernel.bySomebodyElse({ type: 'route-delete', route: routeTo(2) });
    expect(await node.turn(tunnel([2, 4]))).toEqual(['route add 10.244.2.0/24 nhid 211812354']);
    expect(node.performed).toBeGreaterThan(1);
  });

  test('when putting it back takes three tries', async () => {
    const node = await nodeWith(tunnel([2, 3]));
    node.kernel.bySomebodyElse({ type: 'route-delete', route: routeTo(2) });
    node.kernel.failNext('route-add', 'ENOBUFS', 2);
    expect(await node.turn(tunnel([2, 3]))).toEqual([]);
    expect(await node.turn(tunnel([2, 3]))).toEqual([]);
    expect(await node.turn(tunnel([2, 3]))).toHaveLength(1);
  });

  test('also while something else fails all the time', async () => {
    const node = await nodeWith(tunnel([2]));
    node.kernel.failNext('fdb-set', 'ENOBUFS', 3);
    expect(await node.turn(tunnel([2, 3]))).toEqual([]);
    for (let turn = 0; turn < 2; turn++) {
      node.kernel.bySomebodyElse({ type: 'route-delete', route: routeTo(2) });
      expect(await node.turn(tunnel([2, 3]))).toEqual(['route add 10.244.2.0/24 nhid 211812354']);
    }
  });

  test('a route that others replaced by theirs, when theirs has gone', async () => {
    const node = await nodeWith(direct(2));
    node.kernel.putForeign({ route: foreignRoute(2) });
    expect(await node.turn(direct(2))).toEqual([]);
    expect(await node.turn(direct(2))).toEqual([]);
    node.kernel.bySomebodyElse({ type: 'route-delete', route: foreignRoute(2) });
    expect(await node.turn(direct(2))).toEqual(['route add 10.244.2.0/24 via 192.0.2.2 dev eth0']);
  });

  test("a device under a name that is also a pod's", async () => {
    const state = { ...tunnel([]), upLinks: [FLANNEL] };
    const node = await nodeWith(state);
    node.kernel.bySomebodyElse({ type: 'link-delete', name: FLANNEL });
    expect(await node.turn(state)).toContain('link add flannel.1 vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472');
  });

  test("a pod's device that was set down", async () => {
    const node = new Node();
    const pod: ActualLink = { name: POD, kind: 'veth', up: true, carrier: true, loopback: false, mtuBytes: 1450 };
    node.kernel.putForeign({ link: pod });
    const state = { ...tunnel([]), upLinks: [POD] };
    await node.change(state);
    node.kernel.putForeign({ link: { ...pod, up: false } });
    expect(await node.turn(state)).toEqual([`link set ${POD} up`]);
  });
});

describe('what follows from a change of ours is not told', () => {
  test('a start', async () => {
    const node = new Node();
    expect(await node.change(tunnel([2]))).toEqual([]);
  });

  test('a start before every node is known, over what an earlier process left', async () => {
    const node = await nodeWith(tunnel([2, 3], OTHER_PORT));
    const next = new Node(node.kernel);
    expect(await next.turn(tunnel([2]), false)).toEqual([]);
    expect(await next.change(tunnel([2]))).toEqual([]);
  });

  test('peers that come, change and leave', async () => {
    const node = await nodeWith(tunnel([2, 3]));
    const changed = {
      ...tunnel([2]),
      neighbours: [{ link: FLANNEL, ip: ip('10.244.2.0'), mac: mac('02:00:00:00:00:77') }],
    };
    expect(await node.change(changed)).toEqual([]);
    expect(await node.change(tunnel([2, 4]))).toEqual([]);
    expect(await node.change(direct(2, 4))).toEqual([]);
  });

  test('a device that stayed for a while and goes', async () => {
    const node = await nodeWith(tunnel([2]));
    node.kept = [FLANNEL];
    expect(await node.change(direct(2))).toEqual([]);
    expect(await node.turn(direct(2))).toEqual([]);
    node.kept = [];
    expect(await node.change(direct(2))).toEqual([]);
    expect(node.kernel.tables.links.has(FLANNEL)).toBe(false);
  });

  test('a device that is made anew with all that is on it, but for what others took of it', async () => {
    const node = await nodeWith(tunnel([2, 3]));
    expect(await node.change(tunnel([2, 3], OTHER_PORT))).toEqual([]);
    expect(node.performed).toBeGreaterThan(10);
    node.kernel.bySomebodyElse({ type: 'route-delete', route: routeTo(2) });
    expect(await node.change(tunnel([2, 3]))).toEqual(['route add 10.244.2.0/24 nhid 211812354']);
  });

  test('neighbours that the kernel forgets when the device gets another MAC', async () => {
    const node = await nodeWith(tunnel([2, 3]));
    expect(await node.change(tunnel([2, 3], { ...DEVICE, mac: mac('02:00:00:00:00:11') }))).toEqual([]);
    expect(node.performed).toBe(3);
  });

  test('turns that fail one after another, each with something else in mind', async () => {
    const node = await nodeWith(tunnel([2]));
    node.kernel.failNext('route-add', 'ENOBUFS', 1);
    expect(await node.change(tunnel([2, 3]))).toEqual([]);
    node.kernel.failNext('nexthop-delete', 'ENOBUFS', 1);
    node.kernel.failNext('neighbour-delete', 'ENOBUFS', 1);
    expect(await node.change(tunnel([2, 4]))).toEqual([]);
    expect(await node.change(tunnel([2]))).toEqual([]);
    expect(node.kernel.tables.nexthops.size).toBe(1);
  });

  test('deletions that fail and are tried again', async () => {
    const node = await nodeWith(tunnel([2, 3]));
    node.kernel.failNext('route-delete', 'ENOBUFS', 1);
    node.kernel.failNext('nexthop-delete', 'ENOBUFS', 2);
    expect(await node.turn(tunnel([2]))).toEqual([]);
    expect(await node.turn(tunnel([2]))).toEqual([]);
    expect(await node.change(tunnel([2]))).toEqual([]);
  });

  test('a device that went to be made anew and could not be made at once', async () => {
    const node = await nodeWith(tunnel([2]));
    node.kernel.failNext('link-add', 'ENOBUFS', 2);
    expect(await node.change(tunnel([2], OTHER_PORT))).toEqual([]);
    expect(await node.turn(tunnel([2], OTHER_PORT))).toEqual([]);
    expect(await node.change(tunnel([2], OTHER_PORT))).toEqual([]);
  });

  test('a turn that broke off in the middle', async () => {
    const node = await nodeWith(tunnel([2]));
    const { kernel } = node;
    kernel.apply = async (operations, signal) => {
      await FakeKernel.prototype.apply.call(kernel, operations.slice(0, 3), signal);
      throw new Error('socket closed');
    };
    await expect(node.turn(tunnel([2], OTHER_PORT))).rejects.toThrow('socket closed');
    kernel.apply = (operations, signal) => FakeKernel.prototype.apply.call(kernel, operations, signal);
    expect(await node.change(tunnel([2], OTHER_PORT))).toEqual([]);
  });
});

describe('an obstacle of others that goes away is no repair', () => {
  test('a route', async () => {
    const node = new Node();
    node.kernel.putForeign({ route: foreignRoute(2) });
    expect(await node.change(direct(2, 3))).toEqual([]);
    node.kernel.bySomebodyElse({ type: 'route-delete', route: foreignRoute(2) });
    expect(await node.change(direct(2, 3))).toEqual([]);
  });

  test('a device, with all that could not be on it', async () => {
    const node = new Node();
    const dummy: ActualLink = {
      name: FLANNEL,
      kind: 'dummy',
      up: true,
      carrier: true,
      loopback: false,
      mtuBytes: 1500,
    };
    node.kernel.putForeign({ link: dummy });
    expect(await node.turn(tunnel([2]))).toEqual([]);
    node.kernel.bySomebodyElse({ type: 'link-delete', name: FLANNEL });
    expect(await node.change(tunnel([2]))).toEqual([]);
    expect(node.performed).toBe(7);
  });

  test('a nexthop object, with the routes over it', async () => {
    const node = new Node();
    node.kernel.tables.nexthops.set(idOf(2), { id: idOf(2), protocol: 4 });
    expect(await node.change(tunnel([2]))).toEqual([]);
    node.kernel.tables.nexthops.delete(idOf(2));
    expect(await node.change(tunnel([2]))).toEqual([]);
    expect(node.performed).toBe(2);
  });

  test('a switch that could not be written', async () => {
    const node = new Node();
    node.kernel.failNext('sysctl-set', 'EROFS', 2);
    expect(await node.change(tunnel([]))).toEqual([]);
    expect(await node.turn(tunnel([]))).toEqual([]);
    expect(await node.change(tunnel([]))).toEqual([]);
  });
});

/** Has canal's mark, and canal did not make it. */
function strayDevice(): ActualLink {
  const { vni, port, local } = { ...DEVICE, vni: unwrap(parseVni('7')), port: unwrap(parsePort('4789')) };
  return {
    name: name('flannel.7'),
    kind: 'vxlan',
    up: true,
    carrier: true,
    loopback: false,
    mtuBytes: 1450,
    alias: LINK_ALIAS,
    vxlan: { vni, port, local, underlay: ETH0, learning: false, gbp: false, external: false },
  };
}
