/**
 * Any way to a state ends in the same kernel as starting there: clusters that change, agents that restart, others that
 * tamper, operations that fail. This is what "output depends on the current state alone" means for the whole chain.
 */
import { describeOperation } from '@canal/delta';
import { FakeKernel } from '@canal/kernel-fake';
import type { NetConf, NetworkOperation, NetworkOperationType, Peer } from '@canal/model';
import { compileNetwork, type OwnFamily } from '@canal/network-compile';
import fc from 'fast-check';
import {
  type Cidr,
  formatCidr,
  type Ip,
  parseCidr,
  parseCidr4,
  parseInterfaceName,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  unwrap,
} from 'net-types';
import { expect, test } from 'vitest';
import { createDrift, type Drift } from './drift.ts';
import { type NetworkTurnReport, turnNetwork } from './network-turn.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const ETH0 = unwrap(parseInterfaceName('eth0'));
const VNI = unwrap(parseVni('1'));

interface World {
  readonly backend: 'vxlan' | 'direct' | 'host-gw';
  readonly port: string;
  readonly mtuBytes: number;
  readonly mac: string;
  readonly source: string;
  readonly peers: readonly Peer[];
}

const peers: fc.Arbitrary<readonly Peer[]> = fc
  .uniqueArray(
    fc.record({
      number: fc.integer({ min: 2, max: 6 }),
      backendType: fc.constantFrom('vxlan', 'host-gw'),
      mac: fc.integer({ min: 2, max: 7 }),
      host: fc.integer({ min: 2, max: 7 }),
    }),
    { selector: ({ number }) => number, maxLength: 4 },
  )
  .map((all) =>
    all.map(({ number, backendType, mac, host }) => ({
      name: `node-${number}`,
      backendType,
      endpoints: [
        {
          family: 4,
          publicIp: ip(`192.0.2.${host}`),
          subnet: cidr(`10.244.${number}.0/24`),
          vtep: { vni: VNI, mac: unwrap(parseMac(`02:00:00:00:00:0${mac}`)) },
        },
      ],
    })),
  );

const world: fc.Arbitrary<World> = fc.record({
  backend: fc.constantFrom('vxlan', 'direct', 'host-gw'),
  port: fc.constantFrom('8472', '4789'),
  mtuBytes: fc.constantFrom(1500, 1400),
  mac: fc.constantFrom('02:00:00:00:00:01', '02:00:00:00:00:11'),
  source: fc.constantFrom('192.0.2.1', '192.0.2.201'),
  peers,
});

const FAILING: readonly NetworkOperationType[] = [
  'link-add',
  'link-change',
  'link-delete',
  'address-add',
  'neighbour-set',
  'fdb-set',
  'nexthop-add',
  'nexthop-replace',
  'route-add',
  'route-replace',
  'route-delete',
];

type Step =
  | { readonly type: 'world'; readonly world: World; readonly inSync: boolean }
  | { readonly type: 'fail'; readonly operation: NetworkOperationType }
  | { readonly type: 'tamper'; readonly pick: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant('world' as const), world, inSync: fc.boolean() }),
  fc.record({ type: fc.constant('fail' as const), operation: fc.constantFrom(...FAILING) }),
  fc.record({ type: fc.constant('tamper' as const), pick: fc.nat(200) }),
);

test('any sequence of changes, failures and tampering converges on what a fresh kernel gets', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), world, async (steps, last) => {
      const kernel = machine();
      for (const action of steps) {
        if (action.type === 'world') await turn(kernel, action.world, action.inSync);
        else if (action.type === 'fail') kernel.failNext(action.operation, 'EINTR');
        else tamper(kernel, action.pick);
      }
      // One pass for each failure switch that is still set, and one for what could only follow another.
      for (let pass = 0; pass < steps.length + 2; pass++) await turn(kernel, last, true);
      const fresh = machine();
      await turn(fresh, last, true);
      expect(picture(kernel)).toEqual(picture(fresh));
      kernel.written.length = 0;
      await turn(kernel, last, true);
      expect(kernel.written).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('one pass does it all, and on the way no operation refers to something that is not there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(world, { minLength: 1, maxLength: 5 }), async (worlds) => {
      const kernel = machine();
      for (const next of worlds) {
        expect((await turn(kernel, next, true)).failures).toEqual([]);
        expect((await turn(kernel, next, true)).performed).toEqual([]);
      }
    }),
    { numRuns: 300 },
  );
});

test('as long as nobody tampers nothing is told as a repair; what somebody takes away is, whole and once', async () => {
  const untampered = fc.array(
    step.filter(({ type }) => type !== 'tamper'),
    { maxLength: 8 },
  );
  let told = 0;
  await fc.assert(
    fc.asyncProperty(untampered, world, fc.nat(200), async (steps, last, pick) => {
      const kernel = machine();
      const drift = createDrift();
      for (const action of steps) {
        if (action.type === 'world') expect((await turn(kernel, action.world, true, drift)).repairs).toEqual([]);
        else if (action.type === 'fail') kernel.failNext(action.operation, 'EINTR');
      }
      for (let pass = 0; pass < steps.length + 2; pass++)
        expect((await turn(kernel, last, true, drift)).repairs).toEqual([]);
      tamper(kernel, pick);
      kernel.written.length = 0;
      const repairs: string[] = [];
      // A failure switch that nothing has met yet makes it several passes.
      for (let pass = 0; pass < steps.length + 2; pass++)
        repairs.push(...(await turn(kernel, last, true, drift)).repairs.map(({ text }) => text));
      expect(repairs).toEqual(kernel.written.map(describeOperation));
      told += repairs.length;
    }),
    { numRuns: 300 },
  );
  expect(told).toBeGreaterThan(0);
});

function machine(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.addInterface({
    name: ETH0,
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

function turn(
  kernel: FakeKernel,
  { backend, port, mtuBytes, mac, source, peers: all }: World,
  inSync: boolean,
  drift?: Drift,
): Promise<NetworkTurnReport> {
  const own: OwnFamily = {
    family: 4,
    link: ETH0,
    linkMtuBytes: 1500,
    source: ip(source),
    onLinkNetworks: [cidr('192.0.2.0/24')],
    publicIp: ip(source),
    subnet: cidr('10.244.1.0/24'),
    vtepMac: unwrap(parseMac(mac)),
  };
  const vxlan = {
    type: 'vxlan',
    vni: VNI,
    port: unwrap(parsePort(port)),
    gbp: false,
    learning: false,
    mtuBytes,
  } as const;
  const conf: NetConf = {
    network: unwrap(parseCidr4('10.244.0.0/16')),
    enableIpv4: true,
    enableIpv6: false,
    backend: backend === 'host-gw' ? { type: 'host-gw' } : { ...vxlan, directRouting: backend === 'direct' },
  };
  const { state } = compileNetwork({
    node: { name: 'node-1', families: [own], ownAddresses: [own.source] },
    conf,
    peers: all,
    paths: new Map(),
    kernel: { nexthopObjects: true, ipv6: true },
  });
  return turnNetwork(kernel, () => state, { inSync, ...(drift && { drift }) });
}

/** Deletes one of the objects that are there. */
function tamper(kernel: FakeKernel, pick: number): void {
  const { links, addresses, neighbours, fdb, nexthops, routes } = kernel.tables;
  const deletions: NetworkOperation[] = [
    ...[...links.keys()].filter((name) => name !== ETH0).map((name) => ({ type: 'link-delete', name }) as const),
    ...[...addresses.values()].map((address) => ({ type: 'address-delete', address }) as const),
    ...[...neighbours.values()].map((neighbour) => ({ type: 'neighbour-delete', neighbour }) as const),
    ...[...fdb.values()].map((entry) => ({ type: 'fdb-delete', entry }) as const),
    ...[...nexthops.keys()].map((id) => ({ type: 'nexthop-delete', id }) as const),
    ...[...routes.values()].map((route) => ({ type: 'route-delete', route }) as const),
  ];
  const deletion = deletions[pick % Math.max(deletions.length, 1)];
  if (deletion !== undefined) kernel.bySomebodyElse(deletion);
}

function picture(kernel: FakeKernel): Record<string, unknown> {
  const sorted = (values: Iterable<unknown>): string[] => [...values].map((value) => JSON.stringify(value)).sort();
  const { links, addresses, neighbours, fdb, nexthops, routes, sysctls } = kernel.tables;
  return {
    links: sorted(links.values()),
    addresses: sorted(addresses.values()),
    neighbours: sorted(neighbours.values()),
    fdb: sorted(fdb.values()),
    nexthops: sorted(nexthops.values()),
    routes: sorted([...routes.values()].map((route) => ({ ...route, destination: formatCidr(route.destination) }))),
    sysctls: sorted(sysctls.values()),
  };
}
