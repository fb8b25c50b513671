import { type Peer } from '@canal/model';
import fc from 'fast-check';
import { cidrOf, type Ip, type IpFamily, type Mac, macFromBytes, parseIpv4, parseIpv6, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { compileNetwork } from './compile-network.ts';
import { SubnetClaims } from './subnet-claims.ts';
import { conf, input, OWN4, OWN6, VXLAN } from './testing/cluster.ts';
import { show } from './testing/show.ts';

const BASE4 = Number(unwrap(parseIpv4('10.244.0.0')));
const BASE6 = unwrap(parseIpv6('fd00:10:244::'));
const UNDERLAY4 = Number(unwrap(parseIpv4('192.0.2.0')));
const UNDERLAY6 = unwrap(parseIpv6('2001:db8::'));

/** Peers from a small world, so that they collide: in subnets, addresses, MACs, and with this node. */
const anyPeer: fc.Arbitrary<Peer> = fc
  .record({
    name: fc.stringMatching(/^[a-f]{1,2}$/),
    backendType: fc.constantFrom('vxlan', 'host-gw', 'wireguard', ''),
    number: fc.nat(12),
    prefixLen: fc.constantFrom(22, 24, 26),
    host: fc.nat(14),
    macByte: fc.nat(9),
    vtep: fc.boolean(),
    createdMs: fc.option(fc.nat(3), { nil: undefined }),
    families: fc.constantFrom<readonly IpFamily[]>([4], [6], [4, 6]),
  })
  .map(({ name, backendType, number, prefixLen, host, macByte, vtep, createdMs, families }) => ({
    name,
    backendType,
    endpoints: families.map((family) => ({
      family,
      publicIp: (family === 4 ? UNDERLAY4 + host : UNDERLAY6 + BigInt(host)) as Ip,
      subnet:
        family === 4
          ? cidrOf((BASE4 + number * 256) as Ip, prefixLen)
          : cidrOf((BASE6 + (BigInt(number) << 64n)) as Ip, prefixLen + 40),
      ...(vtep ? { vtep: { vni: VXLAN.vni, mac: macFromBytes(Uint8Array.of(2, 0, 0, 0, 0, macByte)) as Mac } } : {}),
    })),
    ...(createdMs === undefined ? {} : { createdMs }),
  }));
// Names are unique in a cluster: they are keys of the store.
const peers = fc.uniqueArray(anyPeer, { selector: (peer) => peer.name, maxLength: 12 });
const confs = fc.constantFrom(
  conf(),
  conf({ backend: { ...VXLAN, directRouting: true } }),
  conf({ backend: { type: 'host-gw' } }),
);
const kernels = fc.record({ nexthopObjects: fc.boolean(), ipv6: fc.constant(true) });

describe('compileNetwork', () => {
  test('the order in which peers are known changes nothing', () => {
    fc.assert(
      fc.property(peers, confs, kernels, fc.infiniteStream(fc.nat()), (all, configuration, kernel, random) => {
        const shuffled = all
          .map((peer) => ({ peer, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ peer }) => peer);
        const of = (order: readonly Peer[]) =>
          compileNetwork(input({ families: [OWN4, OWN6], conf: configuration, kernel, peers: order }));
        expect(of(shuffled)).toEqual(of(all));
      }),
    );
  });

  test('the own subnet is routed nowhere but into the blackhole, and no two routes overlap', () => {
    fc.assert(
      fc.property(peers, confs, kernels, (all, configuration, kernel) => {
        const { state } = compileNetwork(input({ families: [OWN4, OWN6], conf: configuration, kernel, peers: all }));
        const claims = new SubnetClaims(state.routes.map(({ destination }) => destination.prefixLen));
        for (const { destination, target } of state.routes) {
          expect(claims.claim(destination, 'route')).toBeUndefined();
          const own = destination === OWN4.subnet || destination === OWN6.subnet;
          expect(target.type === 'blackhole').toBe(own);
        }
      }),
    );
  });

  test('nothing dangles: routes name nexthops, gateways of tunnels have neighbour and forwarding entry', () => {
    fc.assert(
      fc.property(peers, confs, kernels, (all, configuration, kernel) => {
        const { state } = compileNetwork(input({ families: [OWN4, OWN6], conf: configuration, kernel, peers: all }));
        const nexthops = new Map(state.nexthops.map((nexthop) => [nexthop.id, nexthop]));
        for (const { target } of state.routes) {
          const way = target.type === 'nexthop' ? nexthops.get(target.id) : target;
          if (way === undefined) throw new Error('dangling nexthop id');
          if (!('gateway' in way) || !way.onlink) continue;
          const neighbour = state.neighbours.find(({ ip, link }) => ip === way.gateway && link === way.link);
          expect(state.fdb.some(({ mac, link }) => mac === neighbour?.mac && link === way.link)).toBe(true);
          expect(state.links.some(({ name }) => name === way.link)).toBe(true);
        }
        expect(new Set(state.fdb.map(({ link, mac }) => `${link} ${mac}`)).size).toBe(state.fdb.length);
      }),
    );
  });

  test('the two families do not see each other: dual stack is the sum of both', () => {
    fc.assert(
      fc.property(peers, confs, kernels, (all, configuration, kernel) => {
        const of = (...families: (typeof OWN4)[]) =>
          compileNetwork(input({ families, conf: configuration, kernel, peers: all }));
        const both = of(OWN4, OWN6);
        const apart = [of(OWN4), of(OWN6)];
        expect(show(both.state).sort()).toEqual(apart.flatMap(({ state }) => show(state)).sort());
        expect(both.problems).toEqual(apart.flatMap(({ problems }) => problems));
        expect(both.podMtuBytes).toBe(Math.min(...apart.map(({ podMtuBytes }) => podMtuBytes)));
      }),
    );
  });

  test('what one peer says never changes what another with an older claim gets', () => {
    fc.assert(
      fc.property(peers, anyPeer, confs, (all, late, configuration) => {
        const newcomer = { ...late, name: 'zz', createdMs: 10 };
        const old = all.map((peer) => ({ ...peer, createdMs: peer.createdMs ?? 0 }));
        const of = (list: readonly Peer[]) =>
          compileNetwork(input({ families: [OWN4], conf: configuration, peers: list })).state.routes;
        const after = of([...old, newcomer]).map(({ destination }) => destination);
        for (const { destination } of of(old)) expect(after).toContainEqual(destination);
      }),
    );
  });
});
