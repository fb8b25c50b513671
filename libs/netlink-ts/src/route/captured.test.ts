import { formatCidr, formatIp, type Ip, parseCidr, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { RT_SCOPE } from '../address/constants.ts';
import { capturedMessages } from '../testing/captured.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { RT_TABLE, RTN, RTNH_F, RTPROT } from './constants.ts';
import { type Route, routeCodec, routeDestination, type RouteInput, routeTableOf, routeTo } from './message.ts';
import { RTAX_LOCK_MTU } from './metrics.ts';
import { delRoute, newRoute } from './requests.ts';

const decodeAll = (hex: string): Route[] =>
  capturedMessages(hex).map(({ source, payloadStart, payloadEnd }) =>
    routeCodec.decode(source, payloadStart, payloadEnd),
  );
const ip = (text: string): Ip => unwrap(parseIp(text));
const cidr = (text: string) => unwrap(parseCidr(text));

/** What a request says once it is written. */
function written(request: { writeBody: (writer: WireWriter) => void }): Route {
  const writer = new WireWriter();
  request.writeBody(writer);
  return routeCodec.decode(new WireSource(writer.written), 0, writer.length);
}

/** `newRoute` and iproute2 must say the same, but for the table attribute, which iproute2 leaves out below 256. */
function sameAsIproute2(input: RouteInput, captured: Route): void {
  const { table, ...rest } = written(newRoute(input));
  expect({ ...rest, ...(captured.table !== undefined && { table }) }).toEqual(captured);
  expect(table).toBe(input.table ?? RT_TABLE.MAIN);
}

// `strace -e write=3 COMMAND`, iproute2 6.1; device v0 has index 3.
describe('newRoute says what iproute2 says', () => {
  test.each<{ command: string; hex: string; input: RouteInput }>([
    {
      command: 'ip route add 10.244.1.0/24 via 10.1.0.9 dev v0 onlink proto 203 mtu lock 1400',
      hex: `48000000 18000506 615f016b 00000000 02180000 fecb0001 04000000 08000100 0af40100 08000500 0a010009
            08000400 03000000 14000800 08000200 78050000 08000100 04000000`,
      input: {
        ...routeTo(cidr('10.244.1.0/24')),
        gateway: ip('10.1.0.9'),
        oif: 3,
        flags: RTNH_F.ONLINK,
        protocol: 203,
        metrics: { mtu: 1400, lock: RTAX_LOCK_MTU },
      },
    },
    {
      command:
        'ip route add 10.244.2.0/24 proto 203 nexthop via 10.1.0.8 dev v0 weight 3 nexthop via inet6 fd00::9 dev v0',
      hex: `58000000 18000506 615f016b 00000000 02180000 fecb0001 00000000 08000100 0af40200
            34000900 10000002 03000000 08000500 0a010008 20000000 03000000 16001200 0a00 fd000000000000000000000000000009 0100`,
      input: {
        ...routeTo(cidr('10.244.2.0/24')),
        protocol: 203,
        multipath: [
          { flags: 0, hops: 2, index: 3, gateway: ip('10.1.0.8') },
          { flags: 0, hops: 0, index: 3, via: ip('fd00::9') },
        ],
      },
    },
    {
      command: 'ip route add blackhole 10.244.0.0/16 metric 100 table 1000',
      hex: `34000000 18000506 625f016b 00000000 02100000 00030006 00000000 08000100 0af40000 08000600 64000000
            08000f00 e8030000`,
      input: { ...routeTo(cidr('10.244.0.0/16')), type: RTN.BLACKHOLE, priority: 100, table: 1000 },
    },
    {
      command: 'ip -6 route add fd01::/64 via fd00::7 dev v0 metric 5 pref high',
      hex: `5c000000 18000506 625f016b 00000000 0a400000 fe030001 00000000 14000100 fd010000000000000000000000000000
            14000500 fd000000000000000000000000000007 08000600 05000000 05001400 01000000 08000400 03000000`,
      input: { ...routeTo(cidr('fd01::/64')), gateway: ip('fd00::7'), oif: 3, priority: 5, pref: 1 },
    },
    {
      command: 'ip route add 10.244.3.0/24 nhid 10',
      hex: '2c000000 18000506 625f016b 00000000 02180000 fe030001 00000000 08000100 0af40300 08001e00 0a000000',
      input: { ...routeTo(cidr('10.244.3.0/24')), nexthopId: 10 },
    },
  ])('$command', ({ hex, input }) => {
    const [captured] = decodeAll(hex);
    sameAsIproute2(input, captured!);
  });
});

// Linux 6.18, `strace -e read=3 COMMAND`.
describe('answers of the kernel', () => {
  test('ip route show table all proto 203: onlink, metrics, multipath', () => {
    const routes = decodeAll(`
      50000000 18002200 635f016b d2170000 02180000 fecb0001 04000000 08000f00 fe000000 08000100 0af40100
      14000800 08000100 04000000 08000200 78050000 08000500 0a010009 08000400 03000000
      60000000 18002200 635f016b d2170000 02180000 fecb0001 00000000 08000f00 fe000000 08000100 0af40200
      34000900 10000002 03000000 08000500 0a010008 20000000 03000000 16001200 0a00 fd000000000000000000000000000009 0000`);
    expect(routes).toMatchObject([
      { flags: RTNH_F.ONLINK, gateway: ip('10.1.0.9'), metrics: { lock: RTAX_LOCK_MTU, mtu: 1400 } },
      {
        multipath: [
          { hops: 2, gateway: ip('10.1.0.8') },
          { hops: 0, via: ip('fd00::9') },
        ],
      },
    ]);
    expect(routes.map((route) => formatCidr(routeDestination(route)!))).toEqual(['10.244.1.0/24', '10.244.2.0/24']);
  });

  test('ip -6 route show dev v0: preference, cache info', () => {
    const [connected, viaGateway] = decodeAll(`
      74000000 18002200 635f016b ff170000 0a400000 fe020001 00000000 08000f00 fe000000
      14000100 fd000000000000000000000000000000 08000600 00010000 08000400 03000000
      24000c00 00000000 00000000 36260000 00000000 00000000 00000000 00000000 00000000 05001400 00000000
      88000000 18002200 635f016b ff170000 0a400000 fe030001 00000000 08000f00 fe000000
      14000100 fd010000000000000000000000000000 08000600 05000000 14000500 fd000000000000000000000000000007
      08000400 03000000 24000c00 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
      05001400 01000000`);
    expect(connected).toMatchObject({ protocol: RTPROT.KERNEL, priority: 256, pref: 0, cacheInfo: { expires: 9782 } });
    expect(viaGateway).toMatchObject({ protocol: RTPROT.BOOT, priority: 5, gateway: ip('fd00::7'), pref: 1 });
  });

  test('ip route get 10.244.2.1: the answer for one packet', () => {
    const [route] = decodeAll(`
      70000000 18000000 7f5f016b c6220000 02200000 fe000001 00020000 08000f00 fe000000 08000100 0af40201
      08000400 03000000 08000700 0a010001 08000500 0a010008 08001900 00000000
      24000c00 02000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000`);
    expect(route).toMatchObject({ oif: 3, prefSrc: ip('10.1.0.1'), gateway: ip('10.1.0.8'), uid: 0 });
    expect(route?.unknown).toBeUndefined();
  });
});

describe('defaults of a request', () => {
  const destination = routeTo(cidr('10.0.0.0/24'));

  test.each<{ name: string; input: RouteInput; scope: number }>([
    { name: 'through a device', input: { ...destination, oif: 1 }, scope: RT_SCOPE.LINK },
    { name: 'through a gateway', input: { ...destination, gateway: ip('10.0.0.1') }, scope: RT_SCOPE.UNIVERSE },
    { name: 'through a nexthop object', input: { ...destination, nexthopId: 1 }, scope: RT_SCOPE.UNIVERSE },
    { name: 'local', input: { ...destination, type: RTN.LOCAL }, scope: RT_SCOPE.HOST },
    { name: 'broadcast', input: { ...destination, type: RTN.BROADCAST }, scope: RT_SCOPE.LINK },
    { name: 'blackhole', input: { ...destination, type: RTN.BLACKHOLE }, scope: RT_SCOPE.UNIVERSE },
    { name: 'IPv6 through a device', input: { ...routeTo(cidr('fd00::/64')), oif: 1 }, scope: RT_SCOPE.UNIVERSE },
    { name: 'given', input: { ...destination, oif: 1, scope: RT_SCOPE.SITE }, scope: RT_SCOPE.SITE },
  ])('scope of a route that is $name', ({ input, scope }) => {
    expect(written(newRoute(input)).scope).toBe(scope);
  });

  test('deletion matches any scope, type and protocol, in table main', () => {
    expect(written(delRoute(destination))).toMatchObject({
      scope: RT_SCOPE.NOWHERE,
      type: RTN.UNSPEC,
      protocol: RTPROT.UNSPEC,
      table: RT_TABLE.MAIN,
    });
  });

  test('a table beyond a byte is in the attribute alone', () => {
    expect(written(newRoute({ ...destination, table: 1000 }))).toMatchObject({ headerTable: 0, table: 1000 });
  });
});

describe('reading a route', () => {
  test.each([
    { name: 'a default route has no address', route: { family: 2 }, destination: '0.0.0.0/0' },
    { name: 'an IPv6 default route', route: { family: 10, dstLen: 0 }, destination: '::/0' },
  ])('$name', ({ route, destination }) => {
    expect(formatCidr(routeDestination(route)!)).toBe(destination);
  });

  test('other families and impossible lengths have no destination', () => {
    expect(routeDestination({ family: 28, dstLen: 20 })).toBeUndefined();
    expect(routeDestination({ family: 2, dstLen: 33 })).toBeUndefined();
  });

  test("the table number is the attribute's, else the header's", () => {
    expect([
      routeTableOf({ headerTable: 252, table: 1000 }),
      routeTableOf({ headerTable: 254 }),
      routeTableOf({}),
    ]).toEqual([1000, 254, 0]);
  });

  test('an MPLS route keeps its label undecoded', () => {
    const writer = new WireWriter();
    routeCodec.encode(writer, {
      family: 28,
      dstLen: 20,
      oif: 3,
      unknown: [{ type: 1, bytes: Uint8Array.of(0, 6, 65, 0) }],
    });
    const route = routeCodec.decode(new WireSource(writer.written), 0, writer.length);
    expect(route).toMatchObject({ oif: 3, unknown: [{ type: 1, bytes: Uint8Array.of(0, 6, 65, 0) }] });
    expect(route.dst).toBeUndefined();
  });

  test('addresses read back as text', () => {
    const { gateway } = written(newRoute({ ...routeTo(cidr('fd01::/64')), gateway: ip('fd00::7') }));
    expect(formatIp(gateway!)).toBe('fd00::7');
  });
});
