/** Rules with each form of chain, rule and set, for tests of writing and reading. */
import { addresses, addressPorts, blocks, chain, endpointOf, type HandPod, type HandRules, ip } from './rules.ts';

export const SAMPLE_GUARD = {
  nodeAddresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'].map(ip),
  tunnelPorts: [8472],
  allowSample: 16,
} as const;

export function handPod(number: number): HandPod {
  const hex = number.toString(16);
  return {
    hostInterface: `cnl${hex.padStart(11, '0')}`,
    mac: `02:00:00:00:00:${hex.padStart(2, '0')}`,
    ip4: `10.244.1.${10 + number}`,
    ip6: `fd00:10:244:1::${(10 + number).toString(16)}`,
  };
}

export const IN_1 = 'in-000000000001';
export const EG_1 = 'eg-000000000001';

/** What rules count in, and one that a chain had once. */
export const COUNTERS = {
  alone: 'in-000000000001-000000000001',
  second: 'in-000000000002-000000000001',
  shared: 'eg-000000000001-000000000001-shared',
  denied: 'in-000000000001-denied',
  kept: 'eg-000000000001-denied',
  gone: 'eg-000000000003-denied',
} as const;

const ALLOW_PORTS = [
  {
    protocol: 'TCP' as const,
    ranges: [
      { first: 80, last: 80 },
      { first: 8000, last: 8080 },
    ],
  },
  { protocol: 'UDP' as const, ranges: [] },
];

export const SAMPLE: Required<HandRules> = {
  endpoints: [
    endpointOf(handPod(1), { ingress: IN_1, egress: EG_1 }),
    endpointOf(handPod(2)),
    endpointOf(handPod(3), { ingress: IN_1 }),
    endpointOf(handPod(6), { mode: 'bridge', egress: EG_1 }),
  ],
  chains: [
    {
      ...chain(
        IN_1,
        { peer: { type: 'any' }, ports: ALLOW_PORTS, counters: [COUNTERS.alone, COUNTERS.second] },
        { peer: { type: 'addresses', set: 'ad-000000000001' }, ports: 'any' },
      ),
      denied: [COUNTERS.denied],
    },
    chain(
      EG_1,
      { peer: { type: 'address-ports', set: 'ap-000000000001' }, ports: 'any', counters: [COUNTERS.shared] },
      {
        peer: { type: 'blocks', set: 'bl-000000000001' },
        ports: [{ protocol: 'SCTP', ranges: [{ first: 5, last: 5 }] }],
      },
      { peer: { type: 'blocks', set: 'bl-000000000002' }, ports: [{ protocol: 'UDP', ranges: [] }] },
    ),
  ],
  sets: [
    addresses('ad-000000000001', '10.244.1.12', '10.244.2.11', 'fd00:10:244:2::b'),
    addressPorts('ap-000000000001', ['10.244.2.11', 'UDP', 53], ['fd00:10:244:2::b', 'TCP', 443]),
    blocks('bl-000000000001', '0.0.0.0/0', '203.0.113.0/24', '2001:db8::/32', '2001:db9::/32', 'fd00::/8'),
    blocks('bl-000000000002', '10.0.0.0/8', '11.0.0.0/8', '192.0.2.0/24', '255.255.255.255/32'),
  ],
  kept: [COUNTERS.kept],
};
