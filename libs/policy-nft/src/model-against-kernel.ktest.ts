/**
 * Random rules and random packets: what the kernel does to a packet is what the model says (PacketJudge of rules-ast),
 * which in turn is held against the words of the API by millions of cases that need no kernel.
 */
import { type AllowRule, PacketJudge, type PortMatch, type RuleChain, type RulePacket } from '@canal/rules-ast';
import {
  createPolicyWorld,
  createProber,
  type Injection,
  NODE,
  OTHER_NODE,
  OUTSIDE,
  REMOTE_POD,
  type TestNetns,
} from '@canal/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { addresses, addressPorts, blocks, chain, endpointOf, GUARD, ip, viewOf } from './testing/rules.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const VIEWS = Number(process.env['VIEWS'] ?? 30);
const PACKETS = 90;

const PODS = [1, 2, 3].map((number) => ({
  ip4: `10.244.1.${10 + number}`,
  ip6: `fd00:10:244:1::${(10 + number).toString(16)}`,
}));
const PLACES = [...PODS, REMOTE_POD, OUTSIDE, OTHER_NODE, NODE];
const PORTS = [1, 80, 81, 443, 65_535];

const address = fc.constantFrom(...PLACES.flatMap(({ ip4, ip6 }) => [ip4, ip6]));
const protocol = fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const);
const block = fc.constantFrom(
  ...['0.0.0.0/0', '::/0', '10.244.0.0/16', '10.244.1.8/30', '203.0.113.0/24', '192.0.2.2/32', '128.0.0.0/1'],
  ...['fd00:10:244::/48', 'fd00:10:244:1::c/128', '2001:db8::/32', '8000::/1'],
);
const ranges = fc.constantFrom(
  [],
  [{ first: 80, last: 80 }],
  [{ first: 1, last: 80 }],
  [{ first: 81, last: 65_535 }],
  [
    { first: 1, last: 1 },
    { first: 443, last: 443 },
  ],
);
const ports = fc.oneof(
  fc.constant('any' as const),
  fc
    .uniqueArray(fc.record({ protocol, ranges }), { selector: (match) => match.protocol, maxLength: 3 })
    .map((matches): readonly PortMatch[] => matches),
);

const ID = (kind: string, index: number): string => `${kind}-${index.toString(16).padStart(12, '0')}`;

const sets = fc
  .record({
    ad: fc.array(fc.uniqueArray(address, { maxLength: 6 }), { minLength: 3, maxLength: 3 }),
    ap: fc.array(
      fc.uniqueArray(fc.tuple(address, protocol, fc.constantFrom(...PORTS)), { maxLength: 12, selector: String }),
      {
        minLength: 2,
        maxLength: 2,
      },
    ),
    bl: fc.array(fc.uniqueArray(block, { maxLength: 4 }), { minLength: 3, maxLength: 3 }),
  })
  .map(({ ad, ap, bl }) => [
    ...ad.map((members, index) => addresses(ID('ad', index), ...members)),
    ...ap.map((members, index) => addressPorts(ID('ap', index), ...members)),
    ...bl.map((members, index) => blocks(ID('bl', index), ...members)),
  ]);

const at = (count: number): fc.Arbitrary<number> => fc.nat({ max: count - 1 });
const rule: fc.Arbitrary<AllowRule> = fc.oneof(
  ports.map((allowed): AllowRule => ({ peer: { type: 'any' }, ports: allowed })),
  fc
    .tuple(at(3), ports)
    .map(([set, allowed]): AllowRule => ({ peer: { type: 'addresses', set: ID('ad', set) }, ports: allowed })),
  fc
    .tuple(at(3), ports)
    .map(([set, allowed]): AllowRule => ({ peer: { type: 'blocks', set: ID('bl', set) }, ports: allowed })),
  at(2).map((set): AllowRule => ({ peer: { type: 'address-ports', set: ID('ap', set) }, ports: 'any' })),
);

const chains = fc
  .array(fc.array(rule, { maxLength: 4 }), { minLength: 4, maxLength: 4 })
  .map((lists) => lists.map((rules, index): RuleChain => chain(ID(index < 2 ? 'in' : 'eg', index), ...rules)));

const isolation = fc.record({ ingress: fc.option(at(2)), egress: fc.option(at(2)) }).map(({ ingress, egress }) => ({
  ...(ingress !== null && { ingress: ID('in', ingress) }),
  ...(egress !== null && { egress: ID('eg', egress + 2) }),
}));

const view = fc.record({ sets, chains, isolations: fc.tuple(isolation, isolation, isolation) });

/** From a place to a pod, or from a pod anywhere. */
const packet = fc
  .record({
    pod: at(PODS.length),
    other: at(PLACES.length),
    outward: fc.boolean(),
    family: fc.constantFrom('ip4' as const, 'ip6' as const),
    protocol: fc.oneof(protocol, fc.constant(undefined)),
    port: fc.constantFrom(...PORTS),
  })
  // What is for the node is seen before it is judged: policy-packets.ktest.ts asks servers there.
  .filter(({ pod, other, outward }) => pod !== other && !(outward && other === PLACES.length - 1));

/** As conntrack has none: each packet is a flow of its own, by its source port or its protocol number. */
const FIRST_PORT = 20_000;
const FIRST_PROTOCOL = 140;
const PROTOCOL_COUNT = 100;

const NUMBER = { TCP: 6, UDP: 17, SCTP: 132 } as const;

test.each(['routed', 'bridge'] as const)(
  'pods %s: the kernel judges random packets as the model does',
  async (mode) => {
    using world = createPolicyWorld(3, mode);
    await using prober = createProber();
    const kernel = createPolicyKernel({ netns: world.node.path });
    const pods = world.pods;
    const placeOf = (index: number): TestNetns =>
      pods[index]?.netns ?? (index === PLACES.length - 1 ? world.node : world.far);
    const everywhere = [...pods.map(({ netns }) => netns), world.far, world.node];
    const counts = { allowed: 0, denied: 0 };
    for (const [round, rules] of fc.sample(view, { seed: SEED, numRuns: VIEWS }).entries()) {
      const endpoints = pods.map((pod, index) => endpointOf(pod, { mode, ...rules.isolations[index] }));
      const shown = viewOf({ endpoints, chains: rules.chains, sets: rules.sets });
      await kernel.resync(shown, GUARD);
      const judge = new PacketJudge(shown, [NODE.ip4, NODE.ip6].map(ip));
      world.node.run(['conntrack', '-F']);
      const cases = fc.sample(packet, { seed: SEED + round, numRuns: PACKETS }).map((asked, index) => {
        const [from, to] = asked.outward ? [asked.pod, asked.other] : [asked.other, asked.pod];
        const source = PLACES[from]?.[asked.family] ?? '';
        const destination = PLACES[to]?.[asked.family] ?? '';
        const number =
          asked.protocol === undefined ? FIRST_PROTOCOL + (index % PROTOCOL_COUNT) : NUMBER[asked.protocol];
        const sourcePort = FIRST_PORT + index;
        const content = { source, destination, sourcePort, port: asked.port };
        const injection: Injection = {
          from: placeOf(from),
          packet:
            asked.protocol === undefined
              ? { source, destination, protocol: number, body: '0000000000000000' }
              : { ...content, protocol: asked.protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp' },
        };
        const model: RulePacket = {
          source: ip(source),
          destination: ip(destination),
          protocol: number,
          ...(asked.protocol !== undefined && { destinationPort: asked.port }),
        };
        const key = `${source} ${destination} ${number} ${asked.protocol === undefined ? 0 : sourcePort}`;
        return { key, to: placeOf(to), injection, text: `${key} to port ${asked.port}`, verdict: judge.judge(model) };
      });
      const seen = await prober.inject(
        cases.map(({ injection }) => injection),
        everywhere,
        40,
      );
      // The node sees what passes through it, too: only what came to its destination counts.
      const arrived = new Map(
        everywhere.map((netns, index) => [
          netns,
          new Set(
            seen[index]?.map(
              (one) => `${one.source ?? ''} ${one.destination ?? ''} ${one.protocol ?? ''} ${one.sourcePort ?? 0}`,
            ),
          ),
        ]),
      );
      for (const { key, to, text, verdict } of cases) {
        counts[verdict === 'allowed' ? 'allowed' : 'denied']++;
        const did = arrived.get(to)?.has(key) === true ? 'allowed' : 'denied';
        expect(`${text}: ${did}`, `seed ${SEED}, view ${round}: the model says ${verdict}`).toBe(
          `${text}: ${verdict === 'allowed' ? 'allowed' : 'denied'}`,
        );
      }
    }
    kernel.close();
    process.stdout.write(`seed ${SEED}: ${counts.allowed} packets allowed, ${counts.denied} denied, 0 differences\n`);
    expect(counts.allowed).toBeGreaterThan(VIEWS * 10);
    expect(counts.denied).toBeGreaterThan(VIEWS * 5);
  },
  120_000,
);
