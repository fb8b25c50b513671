import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { cidrOf, formatCidr, formatIp, type Ip, type Ipv4, parseCidr, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { isExists, isNotFound } from '../connection/netlink-error.ts';
import { findLinkIndex } from '../link/requests.ts';
import { NLM_F } from '../wire/message.ts';
import { RT_TABLE, RTN, RTNH_F } from './constants.ts';
import { type Route, routeDestination, type RouteInput, routeTableOf, routeTo } from './message.ts';
import { RTAX_LOCK_MTU } from './metrics.ts';
import { delRoute, listRoutes, lookUpRoute, newRoute } from './requests.ts';

interface IpRoute {
  readonly dst: string;
  readonly type?: string;
  readonly gateway?: string;
  readonly via?: { host: string };
  readonly dev?: string;
  readonly protocol: string;
  readonly metric?: number;
  readonly table?: string;
  readonly prefsrc?: string;
  readonly flags: readonly string[];
  readonly nexthops?: readonly { gateway?: string; weight: number }[];
}

const ip = (text: string): Ip => unwrap(parseIp(text));
const to = (text: string) => routeTo(unwrap(parseCidr(text)));

/** Two namespaces with a veth between them; device `v` has 10.0.0.1/24 and fd00::1/64. */
function connected(): { netns: TestNetns; oif: number } & Disposable {
  const stack = new DisposableStack();
  const netns = stack.use(createTestNetns('route'));
  const other = stack.use(createTestNetns('other'));
  connectNetns(
    { netns, name: 'v', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { netns: other, name: 'v', addresses: ['10.0.0.2/24', 'fd00::2/64'] },
  );
  const oif = findLinkIndex(netns.netlink, 'v')!;
  return { netns, oif, [Symbol.dispose]: () => stack.dispose() };
}

const ipRoutes = (netns: TestNetns, ...args: string[]): IpRoute[] =>
  netns.json(['ip', '-j', '-d', ...args]) as IpRoute[];

const TYPES = new Map<number, string>([
  [RTN.UNICAST, 'unicast'],
  [RTN.LOCAL, 'local'],
  [RTN.BROADCAST, 'broadcast'],
  [RTN.ANYCAST, 'anycast'],
  [RTN.MULTICAST, 'multicast'],
  [RTN.BLACKHOLE, 'blackhole'],
  [RTN.UNREACHABLE, 'unreachable'],
  [RTN.PROHIBIT, 'prohibit'],
  [RTN.THROW, 'throw'],
]);

/** Destination as `ip` prints it: "default", a host without length. */
function destinationText(route: Route): string {
  const text = formatCidr(routeDestination(route)!);
  if (text === '0.0.0.0/0' || text === '::/0') return 'default';
  return text.replace(/\/(32|128)$/, '');
}

const inWordsOfIp = (route: Route): object => ({
  dst: destinationText(route),
  type: TYPES.get(route.type),
  gateway: route.gateway === undefined ? undefined : formatIp(route.gateway),
  via: route.via === undefined ? undefined : formatIp(route.via),
  metric: route.priority === undefined || route.priority === 0 ? undefined : route.priority,
  prefsrc: route.prefSrc === undefined ? undefined : formatIp(route.prefSrc),
  onlink: (route.flags & RTNH_F.ONLINK) !== 0,
  paths: route.multipath?.map(({ gateway, hops }) => [gateway === undefined ? undefined : formatIp(gateway), hops + 1]),
});

const fromIp = ({ dst, type, gateway, via, metric, prefsrc, flags, nexthops }: IpRoute): object => ({
  dst,
  type: type ?? 'unicast',
  gateway,
  via: via?.host,
  metric: metric === 0 ? undefined : metric,
  prefsrc,
  onlink: flags.includes('onlink'),
  paths: nexthops?.map((path) => [path.gateway, path.weight]),
});

describe('listing', () => {
  test('every route of both families and all tables reads as `ip -j` reads it', async () => {
    using pair = connected();
    const { netns } = pair;
    netns.run(['ip', '-batch', '-'], {
      stdin: `route add default via 10.0.0.2
              route add 10.1.0.0/24 via 10.0.0.9 dev v onlink metric 50 mtu lock 1400
              route add 10.2.0.0/24 via inet6 fd00::2 dev v
              route add 10.3.0.0/24 nexthop via 10.0.0.2 weight 3 nexthop via 10.0.0.3
              route add blackhole 10.4.0.0/16 metric 4294967295
              route add unreachable 10.5.0.0/16
              route add prohibit 10.6.0.0/16 table 1000
              route add throw 10.7.0.0/16
              route add 10.8.0.0/16 dev v src 10.0.0.1`,
    });
    netns.run(['ip', '-6', '-batch', '-'], {
      stdin: `route add default via fd00::2
              route add fd01::/64 via fd00::2 metric 5
              route add blackhole fd02::/64
              route add fd03::/64 nexthop via fd00::2 weight 2 nexthop via fd00::3`,
    });
    const sorted = (routes: object[]): string[] => routes.map((one) => JSON.stringify(one)).sort();
    // The kernel adds the routes of an IPv6 address in its own time.
    await waitFor('both to read the same', () => {
      const shown = [
        ...ipRoutes(netns, '-4', 'route', 'show', 'table', 'all'),
        ...ipRoutes(netns, '-6', 'route', 'show', 'table', 'all'),
      ];
      expect(sorted(listRoutes(netns.netlink).map(inWordsOfIp))).toEqual(sorted(shown.map(fromIp)));
      return shown.length > 20;
    });
  });

  test('filters by family, table, protocol, type and device', () => {
    using pair = connected();
    const { netns, oif } = pair;
    const { netlink } = netns;
    netlink.execute(newRoute({ ...to('10.1.0.0/24'), gateway: ip('10.0.0.2'), protocol: 203 }));
    netlink.execute(newRoute({ ...to('fd01::/64'), gateway: ip('fd00::2'), protocol: 203 }));
    netlink.execute(newRoute({ ...to('10.2.0.0/24'), type: RTN.BLACKHOLE, table: 1000 }));
    const destinations = (filter: Parameters<typeof listRoutes>[1]): string[] =>
      listRoutes(netlink, filter).map(destinationText);
    expect(destinations({ protocol: 203 })).toEqual(['10.1.0.0/24', 'fd01::/64']);
    expect(destinations({ protocol: 203, family: 6 })).toEqual(['fd01::/64']);
    expect(destinations({ table: 1000 })).toEqual(['10.2.0.0/24']);
    expect(destinations({ type: RTN.BLACKHOLE })).toEqual(['10.2.0.0/24']);
    expect(destinations({ oif, table: RT_TABLE.MAIN, family: 4 })).toEqual(['10.0.0.0/24', '10.1.0.0/24']);
    expect(listRoutes(netlink, { table: 4711 })).toEqual([]);
  });
});

describe('writing', () => {
  test.each<{ name: string; route: (oif: number) => RouteInput; shown: object }>([
    {
      name: 'a gateway that no address covers, and a metric for the MTU',
      route: (oif) => ({
        ...to('10.9.0.0/24'),
        gateway: ip('192.0.2.1'),
        oif,
        flags: RTNH_F.ONLINK,
        metrics: { mtu: 1300, lock: RTAX_LOCK_MTU },
      }),
      shown: { gateway: '192.0.2.1', dev: 'v', flags: ['onlink'], metrics: [{ mtu: 1300 }] },
    },
    {
      name: 'an IPv4 route over an IPv6 gateway',
      route: (oif) => ({ ...to('10.9.0.0/24'), via: ip('fd00::2'), oif }),
      shown: { via: { family: 'inet6', host: 'fd00::2' }, dev: 'v' },
    },
    {
      name: 'several paths with weights',
      route: (index) => ({
        ...to('10.9.0.0/24'),
        multipath: [
          { flags: 0, hops: 4, index, gateway: ip('10.0.0.2') },
          { flags: 0, hops: 0, index, gateway: ip('10.0.0.3') },
        ],
      }),
      shown: {
        nexthops: [
          { gateway: '10.0.0.2', weight: 5 },
          { gateway: '10.0.0.3', weight: 1 },
        ],
      },
    },
    {
      name: 'a blackhole of the worst metric',
      route: () => ({ ...to('10.9.0.0/24'), type: RTN.BLACKHOLE, priority: 0xffff_ffff }),
      shown: { type: 'blackhole', metric: 0xffff_ffff },
    },
    {
      name: "a source address and a protocol of one's own",
      route: (oif) => ({ ...to('10.9.0.0/24'), oif, prefSrc: ip('10.0.0.1'), protocol: 203 }),
      shown: { prefsrc: '10.0.0.1', protocol: '203', scope: 'link' },
    },
    {
      name: 'an IPv6 route with preference',
      route: (oif) => ({ ...to('fd09::/64'), oif, gateway: ip('fd00::2'), pref: 1 }),
      shown: { gateway: 'fd00::2', pref: 'high' },
    },
  ])('$name', ({ route, shown }) => {
    using pair = connected();
    const input = route(pair.oif);
    pair.netns.netlink.execute(newRoute(input));
    const destination = formatCidr(routeDestination(input)!);
    const family = input.family === 2 ? '-4' : '-6';
    expect(ipRoutes(pair.netns, family, 'route', 'show', destination)).toMatchObject([shown]);
    pair.netns.netlink.execute(delRoute({ ...to(destination), type: input.type ?? 0 }));
    expect(ipRoutes(pair.netns, family, 'route', 'show', destination)).toEqual([]);
  });

  test('replacing takes the place, adding twice exists, removing twice is not found', () => {
    using pair = connected();
    const { netlink } = pair.netns;
    const route = { ...to('10.9.0.0/24'), gateway: ip('10.0.0.2') };
    netlink.execute(newRoute(route));
    expect(() => netlink.execute(newRoute(route))).toThrow(expect.toSatisfy(isExists));
    netlink.execute(newRoute({ ...route, gateway: ip('10.0.0.3') }, NLM_F.CREATE | NLM_F.REPLACE));
    expect(ipRoutes(pair.netns, 'route', 'show', '10.9.0.0/24')).toMatchObject([{ gateway: '10.0.0.3' }]);
    netlink.execute(delRoute(to('10.9.0.0/24')));
    expect(() => netlink.execute(delRoute(to('10.9.0.0/24')))).toThrow(expect.toSatisfy(isNotFound));
  });

  test("the kernel's own words come with a refusal", () => {
    using pair = connected();
    const route = newRoute({ ...to('10.9.0.0/24'), gateway: ip('192.0.2.1') });
    expect(() => pair.netns.netlink.execute(route)).toThrow(
      expect.objectContaining({ code: 'ENETUNREACH', extendedAck: { message: 'Nexthop has invalid gateway' } }),
    );
  });
});

describe('looking up', () => {
  test.each([
    { to: '10.0.0.7', gateway: undefined },
    { to: '192.0.2.1', gateway: '10.0.0.2' },
    { to: 'fd77::1', gateway: 'fd00::2' },
  ])('the way to $to', ({ to: target, gateway }) => {
    using pair = connected();
    const { netlink } = pair.netns;
    netlink.execute(newRoute({ ...to('0.0.0.0/0'), gateway: ip('10.0.0.2') }));
    netlink.execute(newRoute({ ...to('::/0'), gateway: ip('fd00::2') }));
    const route = lookUpRoute(netlink, ip(target));
    expect(route.oif).toBe(pair.oif);
    expect(route.gateway).toBe(gateway === undefined ? undefined : ip(gateway));
    expect(route.prefSrc).toBe(ip(target.includes(':') ? 'fd00::1' : '10.0.0.1'));
    expect(routeTableOf(route)).toBe(RT_TABLE.MAIN);
  });

  test('no way is an error', () => {
    using pair = connected();
    expect(() => lookUpRoute(pair.netns.netlink, ip('192.0.2.1'))).toThrow(
      expect.objectContaining({ code: 'ENETUNREACH' }),
    );
  });
});

describe('many', () => {
  const many = (count: number, oif: number): RouteInput[] =>
    Array.from({ length: count }, (_, index) => ({
      ...routeTo(cidrOf((0x0a10_0000 + index * 256) as Ipv4, 24)),
      oif,
      protocol: 203,
    }));

  test('10,000 routes in a few datagrams, each with its result; then 10,000 refusals, none lost', () => {
    using pair = connected();
    const { netlink } = pair.netns;
    const routes = many(10_000, pair.oif);
    const taken = [17, 4711, 9999];
    for (const place of taken) netlink.execute(newRoute(routes[place]!));
    const results = netlink.batch(routes.map((route) => newRoute(route)));
    expect(results.flatMap((error, place) => (error === undefined ? [] : [place]))).toEqual(taken);
    expect(listRoutes(netlink, { protocol: 203 })).toHaveLength(10_000);
    const again = netlink.batch(routes.map((route) => newRoute(route)));
    expect(again.filter(isExists)).toHaveLength(10_000);
    expect(netlink.batch(routes.map((route) => delRoute(route))).filter((error) => error !== undefined)).toEqual([]);
    expect(ipRoutes(pair.netns, 'route', 'show', 'proto', '203')).toEqual([]);
  });
});
