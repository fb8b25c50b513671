/**
 * What a message costs: encoding and decoding alone, a request with its answer, and 10,000 routes in batches beside
 * `ip -batch` with the same routes (which is one exchange of messages per route, and text to read).
 */
import { createTestNetns } from '@canal/testing';
import { cidrOf, formatCidr, type Ip, type Ipv4, parseIp, parseMac, unwrap } from 'net-types';
import type { NetlinkRequest } from './connection/request.ts';
import { linkCodec } from './link/message.ts';
import { findLinkIndex, getLink, newLink } from './link/requests.ts';
import { neighbourCodec } from './neighbour/message.ts';
import { newNeighbour, permanentNeighbour } from './neighbour/requests.ts';
import { routeCodec, routeDestination, type RouteInput, routeTo } from './route/message.ts';
import { delRoute, listRoutes, newRoute } from './route/requests.ts';
import { WireSource } from './wire/wire-source.ts';
import { WireWriter } from './wire/wire-writer.ts';
import type { ObjectCodec } from './wire/object-codec.ts';

const COUNT = 10_000;
const ROUNDS = 7;
const ip = (text: string): Ip => unwrap(parseIp(text));

/** Median over the rounds of the time per message, in microseconds; one round to warm up. */
function microseconds(count: number, work: () => void): number {
  work();
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = Bun.nanoseconds();
    work();
    return (Bun.nanoseconds() - start) / 1000 / count;
  });
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}

function show(what: string, perMessage: number): void {
  console.log(`${what.padEnd(58)} ${perMessage.toFixed(2).padStart(8)} µs`);
}

function showCodec(what: string, request: NetlinkRequest, codec: ObjectCodec<unknown, never>): void {
  const writer = new WireWriter();
  const encode = (): void => {
    writer.reset();
    request.writeBody(writer);
  };
  show(
    `encode ${what}`,
    microseconds(COUNT, () => {
      for (let i = 0; i < COUNT; i++) encode();
    }),
  );
  encode();
  const source = new WireSource(writer.written.slice());
  show(
    `decode ${what}`,
    microseconds(COUNT, () => {
      for (let i = 0; i < COUNT; i++) codec.decode(source, 0, source.length);
    }),
  );
}

const viaIpv4 = { ...routeTo(cidrOf(ip('10.1.0.0'), 24)), gateway: ip('10.0.0.2'), oif: 3, protocol: 203 };
const viaIpv6 = { ...routeTo(cidrOf(ip('fd01::'), 64)), gateway: ip('fd00::2'), oif: 3, protocol: 203 };
const vxlan = { id: 1, port: 8472, learning: false, link: 2, local: ip('10.0.0.1') as Ipv4 };
showCodec('an IPv4 route', newRoute(viaIpv4), routeCodec);
showCodec('an IPv6 route', newRoute(viaIpv6), routeCodec);
const mac = unwrap(parseMac('0a:58:0a:00:00:05'));
showCodec('a neighbour', newNeighbour(permanentNeighbour(3, ip('10.0.0.5'), mac)), neighbourCodec);
showCodec('a vxlan device', newLink({ name: 'vx', mtu: 1450, info: { kind: 'vxlan', vxlan } }), linkCodec);

using netns = createTestNetns('bench');
const { netlink } = netns;
show(
  'get a device and decode all of it',
  microseconds(2_000, () => {
    for (let i = 0; i < 2_000; i++) getLink(netlink, { index: 1 });
  }),
);
show(
  'get the index of a device',
  microseconds(2_000, () => {
    for (let i = 0; i < 2_000; i++) findLinkIndex(netlink, 'lo');
  }),
);

const routes: RouteInput[] = Array.from({ length: COUNT }, (_, index) => ({
  ...routeTo(cidrOf((0x0a00_0000 + index * 256) as Ipv4, 24)),
  oif: 1,
  protocol: 203,
}));
const lines = routes.map((route) => `route add ${formatCidr(routeDestination(route)!)} dev lo proto 203\n`).join('');
const add = routes.map((route) => newRoute(route));
const remove = routes.map((route) => delRoute(route));
const ours: number[] = [];
const theirs: number[] = [];
const milliseconds = (work: () => void): number => {
  const start = Bun.nanoseconds();
  work();
  return (Bun.nanoseconds() - start) / 1e6;
};
for (let round = 0; round < ROUNDS; round++) {
  ours.push(milliseconds(() => netlink.batch(add)));
  if (round === 0)
    show(
      'list 10,000 routes, each',
      microseconds(COUNT, () => listRoutes(netlink, { table: 254 })),
    );
  netlink.batch(remove);
  theirs.push(milliseconds(() => netns.run(['ip', '-batch', '-'], { stdin: lines })));
  netlink.batch(remove);
}
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
const [us, them] = [median(ours), median(theirs)];
console.log(
  `add 10,000 routes: batch ${us.toFixed(1)} ms, ip -batch ${them.toFixed(1)} ms, ratio ${(them / us).toFixed(1)}`,
);
