import {
  type ActualLink,
  type ActualRoute,
  type NetworkSnapshot,
  type NetworkState,
  POD_ROUTE_PROTOCOL,
} from '@canal/model';
import { describe, expect, test } from 'vitest';
import { describeOperation } from './describe.ts';
import { diffNetwork } from './diff-network.ts';
import { actual, cidr, desired, deviceLink, ETH0, eth0, FLANNEL, ID, ip, mac, name } from './testing/states.ts';

const EMPTY: NetworkSnapshot = {
  links: [eth0()],
  addresses: [],
  neighbours: [],
  proxies: [],
  fdb: [],
  nexthops: [],
  routes: [],
  sysctls: [],
};

function plan(state: NetworkState, snapshot: NetworkSnapshot, inSync = true): string[] {
  return diffNetwork(state, snapshot, { inSync }).operations.map(describeOperation);
}

function withLink(snapshot: NetworkSnapshot, link: ActualLink): NetworkSnapshot {
  return { ...snapshot, links: [eth0(), link] };
}

describe('devices that only have to be up', () => {
  const pod = name('cnl00000000001');
  const state: NetworkState = {
    ...desired(),
    upLinks: [pod],
    neighbours: [{ link: pod, ip: ip('10.244.1.5'), mac: mac('02:00:00:00:0b:01') }],
  };
  const withPod = (up: boolean): NetworkSnapshot => ({
    ...actual(),
    links: [...actual().links, { name: pod, kind: 'veth', up, carrier: up, loopback: false, mtuBytes: 1450 }],
  });

  test('one that is down is switched on before anything is put on it, also before the store is in sync', () => {
    const operations = [`link set ${pod} up`, `neighbour set 10.244.1.5 lladdr 02:00:00:00:0b:01 dev ${pod}`];
    expect(plan(state, withPod(false))).toEqual(operations);
    expect(plan(state, withPod(false), false)).toEqual(operations);
  });

  test('one that is up is left alone, one that is gone is not made', () => {
    const noEntries = { ...state, neighbours: [] };
    expect(plan(noEntries, withPod(true))).toEqual([]);
    expect(plan(noEntries, actual())).toEqual([]);
  });
});

describe('pods on a bridge', () => {
  const port = name('cnl00000000001');
  const bridge = name('cni0');
  const [mine, other] = [ip('fd00:10:244:1::5'), ip('fd00:10:244:1::6')];
  const withPort = (isolated?: boolean): NetworkSnapshot => {
    const link: ActualLink = { name: port, kind: 'veth', up: true, carrier: true, loopback: false, mtuBytes: 1450 };
    return { ...actual(), links: [...actual().links, { ...link, ...(isolated !== undefined && { isolated }) }] };
  };

  test.each([true, false])('a port is isolated or not, as is wanted (%s); what is no port has no flag', (isolated) => {
    const state = { ...desired(), ports: [{ name: port, isolated }] };
    const operations = [`port set ${port} isolated ${isolated ? 'on' : 'off'}`];
    expect(plan(state, withPort(!isolated), false)).toEqual(operations);
    expect(plan(state, withPort(isolated))).toEqual([]);
    expect(plan(state, withPort())).toEqual([]);
    expect(plan(state, actual())).toEqual([]);
  });

  test('a port is isolated when there is another way already', () => {
    const route = {
      protocol: POD_ROUTE_PROTOCOL,
      destination: cidr('fd00:10:244:1::5/128'),
      metric: 1024,
      target: { type: 'link', link: port },
    } as const;
    const proxies = [{ link: bridge, ip: mine }];
    const state = { ...desired(), ports: [{ name: port, isolated: true }], proxies, routes: [route] };
    expect(plan(state, withPort(false))).toEqual([
      'proxy set fd00:10:244:1::5 dev cni0',
      `route add fd00:10:244:1::5/128 dev ${port}`,
      `port set ${port} isolated on`,
    ]);
  });

  test("proxies of ours that nobody wants go when the store is in sync, others' stay", () => {
    const proxies = [
      { link: bridge, ip: mine, protocol: POD_ROUTE_PROTOCOL },
      { link: bridge, ip: other, protocol: 0 },
    ];
    const snapshot = { ...actual(), proxies };
    expect(plan(desired(), snapshot)).toEqual(['proxy delete fd00:10:244:1::5 dev cni0']);
    expect(plan(desired(), snapshot, false)).toEqual([]);
    // An ADD at work, of which there is no record yet, has a route already.
    const target = { type: 'link', link: port } as const;
    const route = { protocol: POD_ROUTE_PROTOCOL, destination: cidr('fd00:10:244:1::5/128'), metric: 1024, target };
    const adding = diffNetwork(desired(), { ...snapshot, routes: [...snapshot.routes, route] }, { inSync: true });
    expect(adding.operations).toEqual([]);
    expect(adding.withheld.map(describeOperation)).toEqual(['proxy delete fd00:10:244:1::5 dev cni0']);
    expect(plan({ ...desired(), proxies: [{ link: bridge, ip: mine }] }, snapshot)).toEqual([]);
    // Somebody else's entry serves as well as ours, but may go with him: it is marked as ours.
    const wanted = { ...desired(), proxies: [{ link: bridge, ip: other }] };
    expect(plan(wanted, snapshot)[0]).toBe('proxy set fd00:10:244:1::6 dev cni0');
  });
});

describe('the source that a route names', () => {
  const pod = name('cnl00000000001');
  const link: ActualLink = { name: pod, kind: 'veth', up: true, carrier: true, loopback: false, mtuBytes: 1450 };
  const destination = cidr('fd00:10:244:1::5/128');
  const route = {
    protocol: POD_ROUTE_PROTOCOL,
    destination,
    metric: 1024,
    target: { type: 'link', link: pod },
  } as const;
  const sources = [undefined, ip('2001:db8::1'), ip('2001:db8::2')];

  test.each(sources.flatMap((wanted) => sources.map((present) => ({ wanted, present }))))(
    'wanted $wanted, present $present',
    ({ wanted, present }) => {
      const state = { ...desired(), routes: [{ ...route, ...(wanted !== undefined && { source: wanted }) }] };
      const snapshot = {
        ...actual(),
        links: [...actual().links, link],
        routes: [{ ...route, ...(present !== undefined && { source: present }) }],
      };
      const replaced = wanted !== undefined && wanted !== present;
      expect(plan(state, snapshot)).toEqual(replaced ? [`route replace fd00:10:244:1::5/128 dev ${pod}`] : []);
    },
  );
});

describe('order', () => {
  test('from nothing: device, address, nexthop, neighbour, forwarding entry, and the route last', () => {
    expect(plan(desired(2), EMPTY)).toEqual([
      'link add flannel.1 vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472',
      'address add 10.244.1.0/32 dev flannel.1',
      `nexthop add id ${ID + 2} via 10.244.2.0 dev flannel.1`,
      'neighbour set 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1',
      'fdb set 02:00:00:00:00:02 dst 192.0.2.2 dev flannel.1',
      `route add 10.244.2.0/24 nhid ${ID + 2}`,
    ]);
  });

  test('a peer that left goes the other way: route, nexthop, neighbour, forwarding entry', () => {
    expect(plan(desired(), actual(2))).toEqual([
      'route delete 10.244.2.0/24 metric 0',
      `nexthop delete id ${ID + 2}`,
      'neighbour delete 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1',
      'fdb delete 02:00:00:00:00:02 dst 192.0.2.2 dev flannel.1',
    ]);
  });

  test('what is as it should be is left alone', () => {
    expect(plan(desired(2, 3), actual(2, 3))).toEqual([]);
  });

  test('from the tunnel to a direct route: the new way first, then what the old one stood on', () => {
    const direct: NetworkState = {
      ...desired(),
      nexthops: [{ id: ID + 77, family: 4, link: ETH0, gateway: ip('192.0.2.2'), onlink: false }],
      routes: [
        { protocol: 203, destination: cidr('10.244.2.0/24'), metric: 0, target: { type: 'nexthop', id: ID + 77 } },
      ],
    };
    expect(plan(direct, actual(2))).toEqual([
      `nexthop add id ${ID + 77} via 192.0.2.2 dev eth0`,
      `route replace 10.244.2.0/24 nhid ${ID + 77}`,
      `nexthop delete id ${ID + 2}`,
      'neighbour delete 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1',
      'fdb delete 02:00:00:00:00:02 dst 192.0.2.2 dev flannel.1',
    ]);
  });

  test('a nexthop id that changes hands: its old user moves away first, the new one comes after', () => {
    // Peer 9 joins and takes the id of peer 2, which moves on to a free one.
    const state: NetworkState = {
      ...desired(2, 9),
      nexthops: [
        { id: ID + 2, family: 4, link: FLANNEL, gateway: ip('10.244.9.0'), onlink: true },
        { id: ID + 3, family: 4, link: FLANNEL, gateway: ip('10.244.2.0'), onlink: true },
      ],
      routes: [
        { protocol: 203, destination: cidr('10.244.2.0/24'), metric: 0, target: { type: 'nexthop', id: ID + 3 } },
        { protocol: 203, destination: cidr('10.244.9.0/24'), metric: 0, target: { type: 'nexthop', id: ID + 2 } },
      ],
    };
    expect(plan(state, actual(2)).filter((line) => /^(?:nexthop|route)/.test(line))).toEqual([
      `nexthop add id ${ID + 3} via 10.244.2.0 dev flannel.1`,
      `route replace 10.244.2.0/24 nhid ${ID + 3}`,
      `nexthop replace id ${ID + 2} via 10.244.9.0 dev flannel.1`,
      `route add 10.244.9.0/24 nhid ${ID + 2}`,
    ]);
  });
});

describe('before the store is in sync', () => {
  test('nothing is deleted', () => {
    expect(plan(desired(3), actual(2, 3), false)).toEqual([]);
  });

  test('the device is not made anew, and its MAC not changed: unknown peers still send to it', () => {
    const other = withLink(actual(2), deviceLink({ mac: mac('02:00:00:00:00:99') }, { port: 4789 }));
    expect(plan(desired(), other, false)).toEqual([]);
    const renamed = withLink(actual(2), deviceLink({ mac: mac('02:00:00:00:00:99'), mtuBytes: 1400 }));
    expect(plan(desired(), renamed, false)).toEqual(['link change flannel.1: mtu']);
  });

  test('a nexthop id that an unknown peer may use is not overwritten', () => {
    const state: NetworkState = {
      ...desired(),
      nexthops: [{ id: ID + 2, family: 4, link: FLANNEL, gateway: ip('10.244.9.0'), onlink: true }],
      routes: [
        { protocol: 203, destination: cidr('10.244.9.0/24'), metric: 0, target: { type: 'nexthop', id: ID + 2 } },
      ],
    };
    expect(plan(state, actual(2), false)).toEqual([]);
  });
});

describe('devices', () => {
  test.each([
    { title: 'MTU', link: deviceLink({ mtuBytes: 1400 }), changes: 'mtu' },
    { title: 'local address', link: deviceLink({}, { local: ip('192.0.2.9') }), changes: 'local' },
    { title: 'underlay', link: deviceLink({}, { underlay: name('eth9') }), changes: 'underlay' },
    { title: 'learning', link: deviceLink({}, { learning: true }), changes: 'learning' },
    { title: 'switched off', link: deviceLink({ up: false }), changes: 'up' },
    { title: "taken over from flannel, which doesn't mark it", link: withoutAlias(), changes: 'alias' },
  ])('$title differs: changed while it carries traffic', ({ link, changes }) => {
    expect(plan(desired(2), withLink(actual(2), link))).toEqual([`link change flannel.1: ${changes}`]);
  });

  test('another MAC: changed live, and the neighbours that the kernel drops with it are set again in the same pass', () => {
    expect(plan(desired(2), withLink(actual(2), deviceLink({ mac: mac('02:00:00:00:00:99') })))).toEqual([
      'link change flannel.1: mac',
      'neighbour set 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1',
    ]);
  });

  test.each([
    { title: 'port', link: deviceLink({}, { port: 4789 }) },
    { title: 'VNI', link: deviceLink({}, { vni: 9 }) },
    { title: 'group policy', link: deviceLink({}, { gbp: true }) },
    { title: 'outer family', link: deviceLink({}, { local: ip('2001:db8::1') }) },
  ])('$title differs: made anew, with all that was on it in the same pass', ({ link }) => {
    expect(plan(desired(2), withLink(actual(2), link))).toEqual(['link delete flannel.1', ...plan(desired(2), EMPTY)]);
  });

  test('a device of another kind under our name is reported; nothing of ours is tried on it', () => {
    const other: ActualLink = { ...eth0(), name: FLANNEL, kind: 'bridge' };
    const { operations, withheld, conflicts } = diffNetwork(desired(2), withLink(EMPTY, other), { inSync: true });
    expect(operations).toEqual([]);
    expect(withheld.map(describeOperation).sort()).toEqual(plan(desired(2), EMPTY).sort());
    expect(conflicts).toMatchObject([
      { code: 'LinkTaken', link: FLANNEL, cure: expect.stringContaining('ip link') as string },
    ]);
  });

  test('a device of ours that is no longer wanted goes after all that is on it; one without our mark stays', () => {
    const none: NetworkState = { ...desired(), links: [], addresses: [] };
    expect(plan(none, actual(2))).toEqual([...plan(desired(), actual(2)), ...removal()]);
    expect(plan(none, withLink({ ...EMPTY, fdb: actual(2).fdb }, withoutAlias()))).toEqual([]);
  });

  test('a device that is to be kept stays with its address, what was on it for sending goes', () => {
    const none: NetworkState = { ...desired(), links: [], addresses: [] };
    const kept = diffNetwork(none, actual(2), { inSync: true, keepLinks: new Set([FLANNEL]) });
    expect(kept.operations.map(describeOperation)).toEqual(plan(desired(), actual(2)));
    expect(kept.withheld.map(describeOperation).sort()).toEqual(removal());
  });

  test('a device of ours that somebody renamed holds the VNI: it makes room, lingering or not', () => {
    const renamed = name('wrong');
    const { nexthops, ...rest } = actual(2);
    const snapshot: NetworkSnapshot = {
      ...rest,
      links: [eth0(), deviceLink({ name: renamed })],
      addresses: [],
      neighbours: [],
      fdb: [],
      nexthops: nexthops.map(({ target, ...nexthop }) => ({
        ...nexthop,
        ...(target !== undefined && { target: { ...target, link: renamed } }),
      })),
    };
    const { operations } = diffNetwork(desired(2), snapshot, { inSync: true, keepLinks: new Set([renamed]) });
    expect(operations.map(describeOperation)).toEqual(['link delete wrong', ...plan(desired(2), EMPTY)]);
    expect(plan(desired(2), snapshot, false)).not.toContain('link delete wrong');
  });

  test('one with another VNI, port or outer family stays out of the way', () => {
    const others = [{ vni: 2 }, { port: 4789 }, { local: ip('fd00::1') }].map((vxlan) =>
      deviceLink({ name: name('other') }, vxlan),
    );
    for (const other of others) {
      const snapshot = withLink(EMPTY, other);
      const { operations } = diffNetwork(desired(2), snapshot, { inSync: true, keepLinks: new Set([other.name]) });
      expect(operations.map(describeOperation)).toEqual(plan(desired(2), EMPTY));
    }
  });

  function removal(): string[] {
    return ['address delete 10.244.1.0/32 dev flannel.1', 'link delete flannel.1'];
  }

  function withoutAlias(): ActualLink {
    const { alias: _, ...rest } = deviceLink();
    return rest;
  }
});

describe('entries on our device', () => {
  test('a changed MAC of a peer leaves no entry of the old one', () => {
    const state: NetworkState = {
      ...desired(2),
      neighbours: [{ link: FLANNEL, ip: ip('10.244.2.0'), mac: mac('02:00:00:00:00:aa') }],
      fdb: [{ link: FLANNEL, mac: mac('02:00:00:00:00:aa'), remote: ip('192.0.2.2') }],
    };
    expect(plan(state, actual(2))).toEqual([
      'neighbour set 10.244.2.0 lladdr 02:00:00:00:00:aa dev flannel.1',
      'fdb set 02:00:00:00:00:aa dst 192.0.2.2 dev flannel.1',
      'fdb delete 02:00:00:00:00:02 dst 192.0.2.2 dev flannel.1',
    ]);
  });

  test('a changed public address swaps the remote under the MAC, without a moment in between', () => {
    const state = { ...desired(2), fdb: [{ link: FLANNEL, mac: mac('02:00:00:00:00:02'), remote: ip('192.0.2.77') }] };
    expect(plan(state, actual(2))).toEqual(['fdb set 02:00:00:00:00:02 dst 192.0.2.77 dev flannel.1']);
  });

  test('a second remote that somebody appended would get a copy of every frame: it goes', () => {
    const snapshot = actual(2);
    const extra = { link: FLANNEL, mac: mac('02:00:00:00:00:02'), remote: ip('203.0.113.66') };
    expect(plan(desired(2), { ...snapshot, fdb: [...snapshot.fdb, extra] })).toEqual([
      'fdb delete 02:00:00:00:00:02 dst 203.0.113.66 dev flannel.1',
    ]);
  });

  test('two wrong remotes: one is swapped, the other goes before', () => {
    const entry = (remote: string) => ({ link: FLANNEL, mac: mac('02:00:00:00:00:02'), remote: ip(remote) });
    expect(plan(desired(2), { ...actual(2), fdb: [entry('203.0.113.66'), entry('203.0.113.67')] })).toEqual([
      'fdb delete 02:00:00:00:00:02 dst 203.0.113.67 dev flannel.1',
      'fdb set 02:00:00:00:00:02 dst 192.0.2.2 dev flannel.1',
    ]);
  });

  test('an old base address goes, an address of the kernel and one with a longer network stay', () => {
    const snapshot = actual();
    const addresses = [
      ...snapshot.addresses,
      { link: FLANNEL, address: { ip: ip('10.244.7.0'), prefixLen: 32 }, linkScope: false },
      { link: FLANNEL, address: { ip: ip('fe80::1'), prefixLen: 64 }, linkScope: true },
      { link: FLANNEL, address: { ip: ip('172.16.0.1'), prefixLen: 24 }, linkScope: false },
    ];
    expect(plan(desired(), { ...snapshot, addresses })).toEqual(['address delete 10.244.7.0/32 dev flannel.1']);
  });

  test("entries on a device that is not ours are nobody's business of ours", () => {
    const pod = name('cnl00000000001');
    const neighbours = [{ link: pod, ip: ip('10.244.1.5'), mac: mac('02:00:00:00:00:55') }];
    expect(plan(desired(), { ...actual(), neighbours })).toEqual([]);
  });
});

describe('routes', () => {
  const at = (changes: Partial<ActualRoute>): ActualRoute => ({
    protocol: 3,
    destination: cidr('10.244.2.0/24'),
    metric: 0,
    target: { type: 'gateway', gateway: ip('10.244.2.0'), link: FLANNEL, onlink: true },
    ...changes,
  });
  const having = (...routes: ActualRoute[]): NetworkSnapshot => ({ ...actual(2), routes });

  test("flannel's route on the device it left is replaced by ours, one of a gone peer removed", () => {
    expect(plan(desired(2), having(at({})))).toEqual([`route replace 10.244.2.0/24 nhid ${ID + 2}`]);
    expect(
      plan(desired(2), { ...actual(2), routes: [...actual(2).routes, at({ destination: cidr('10.244.8.0/24') })] }),
    ).toEqual(['route delete 10.244.8.0/24 metric 0']);
  });

  test("flannel's host-gw route, the same way as ours, is taken over", () => {
    const gateway = { type: 'gateway', gateway: ip('192.0.2.2'), link: ETH0, onlink: false } as const;
    const state: NetworkState = {
      ...desired(),
      routes: [{ protocol: 203, destination: cidr('10.244.2.0/24'), metric: 0, target: gateway }],
    };
    expect(plan(state, { ...actual(), routes: [at({ target: gateway })] })).toEqual([
      'route replace 10.244.2.0/24 via 192.0.2.2 dev eth0',
    ]);
  });

  test.each([
    { title: "an administrator's static route", route: at({ protocol: 4 }) },
    {
      title: 'a boot route another way',
      route: at({ target: { type: 'gateway', gateway: ip('192.0.2.9'), link: ETH0, onlink: false } }),
    },
    { title: 'a boot route that drops', route: at({ target: { type: 'blackhole' } }) },
    {
      title: "a routing daemon's multipath",
      route: at({ protocol: 186, target: { type: 'other', text: 'nexthop …', links: [ETH0] } }),
    },
  ])('$title stays and is reported', ({ route }) => {
    const { operations, conflicts } = diffNetwork(desired(2), having(route), { inSync: true });
    expect(operations).toEqual([]);
    expect(conflicts).toMatchObject([{ code: 'RouteTaken', subject: 'route 10.244.2.0/24 metric 0' }]);
  });

  test('a foreign route put in front of ours is reported: the kernel uses the first; behind ours it does no harm', () => {
    const foreign = at({ protocol: 4, target: { type: 'link', link: ETH0 } });
    const ours = at({ protocol: 203, target: { type: 'nexthop', id: ID + 2 } });
    const state = having(foreign);
    const inFront = diffNetwork(desired(2), { ...state, routes: [foreign, ours] }, { inSync: true });
    expect(inFront).toMatchObject({ operations: [], conflicts: [{ code: 'RouteTaken' }] });
    const behind = diffNetwork(desired(2), { ...state, routes: [ours, foreign] }, { inSync: true });
    expect(behind).toMatchObject({ operations: [], conflicts: [] });
  });

  test('routes of the wrong form but our mark are replaced', () => {
    expect(plan(desired(2), having(at({ protocol: 203 })))).toEqual([`route replace 10.244.2.0/24 nhid ${ID + 2}`]);
  });

  test('a pod route without a record is left: an ADD may be at work; a wrong one is replaced', () => {
    const [one, two] = [name('cnl00000000001'), name('cnl00000000002')];
    const podRoute = (link: typeof one) =>
      ({ protocol: 204, destination: cidr('10.244.1.5/32'), metric: 0, target: { type: 'link', link } }) as const;
    expect(plan(desired(), { ...actual(), routes: [podRoute(one)] })).toEqual([]);
    expect(plan({ ...desired(), routes: [podRoute(two)] }, { ...actual(), routes: [podRoute(one)] })).toEqual([
      'route replace 10.244.1.5/32 dev cnl00000000002',
    ]);
  });

  test("somebody else's nexthop object under our id is reported, its routes are not touched", () => {
    const snapshot = { ...EMPTY, links: actual().links, nexthops: [{ id: ID + 2, protocol: 11 }] };
    const { operations, conflicts } = diffNetwork(desired(2), snapshot, { inSync: true });
    expect(conflicts).toMatchObject([{ code: 'NexthopTaken' }]);
    expect(operations.map(({ type }) => type)).not.toContain('route-add');
  });
});

describe('switches', () => {
  const wanting = (changes: Partial<NetworkState['sysctls'][number]>): NetworkState => ({
    ...desired(),
    sysctls: [{ link: ETH0, family: 4, name: 'rp_filter', value: 2, acceptable: [0], enforce: true, ...changes }],
  });
  const being = (all: number, eth0Value: number): NetworkSnapshot => ({
    ...actual(),
    sysctls: [
      { link: 'all', family: 4, name: 'rp_filter', value: all },
      { link: ETH0, family: 4, name: 'rp_filter', value: eth0Value },
    ],
  });

  test.each([
    { all: 0, own: 0, written: 0 },
    { all: 2, own: 0, written: 0 },
    { all: 0, own: 2, written: 0 },
    { all: 1, own: 2, written: 0 },
    { all: 0, own: 1, written: 1 },
    { all: 1, own: 0, written: 1 },
  ])('rp_filter works with the greater of conf/all ($all) and the device ($own)', ({ all, own, written }) => {
    expect(plan(wanting({}), being(all, own))).toHaveLength(written);
  });

  test.each([
    { forwarding: 1, value: 1, written: 0 },
    { forwarding: 0, value: 1, written: 1 },
    { forwarding: 1, value: 2, written: 1 },
    { forwarding: 0, value: 0, written: 0 },
  ])('accept_ra $value on a device with forwarding $forwarding', ({ forwarding, value, written }) => {
    const state = wanting({ link: FLANNEL, family: 6, name: 'accept_ra', value: 0, acceptable: [] });
    const sysctls = [
      { link: FLANNEL, family: 6, name: 'forwarding', value: forwarding } as const,
      { link: FLANNEL, family: 6, name: 'accept_ra', value } as const,
    ];
    expect(plan(state, { ...actual(), sysctls })).toHaveLength(written);
  });

  test("a switch of the administrator's is reported with its cure, not written", () => {
    const { operations, conflicts } = diffNetwork(wanting({ enforce: false }), being(1, 1), { inSync: true });
    expect(operations).toEqual([]);
    expect(conflicts).toMatchObject([{ code: 'SysctlDiffers', cure: expect.stringContaining('sysctl -w') as string }]);
  });

  test('a new device gets its switches in the pass that makes it; one that the kernel has not is passed over', () => {
    expect(plan(wanting({ link: FLANNEL, name: 'forwarding', value: 1 }), EMPTY)).toContain(
      'sysctl net.ipv4.conf.flannel/1.forwarding=1',
    );
    expect(plan(wanting({ family: 6, name: 'accept_ra' }), being(0, 0))).toEqual([]);
  });
});
