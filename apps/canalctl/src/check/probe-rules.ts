/** Rules with each form of table, chain, set and expression that the agents write, for nobody's packets. */
import type { PolicyGuard } from '@canal/kernel-port';
import { NETWORK_NFT_TABLE, type TrafficTable } from '@canal/model';
import type { RuleChain, RuleEndpoint, RuleSet, RuleView, SetMember } from '@canal/rules-ast';
import { cidrLast, parseCidr, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';

const POD_NETWORK = unwrap(parseCidr('198.18.0.0/24'));
const POD_ADDRESSES = ['198.18.0.2', '2001:db8::2'].map((text) => unwrap(parseIp(text)));
const BLOCKS = ['198.51.100.0/24', '2001:db8:1::/48'].map((text) => unwrap(parseCidr(text)));

export const NETWORK_TABLE: TrafficTable = {
  name: NETWORK_NFT_TABLE,
  chains: [
    {
      name: 'postrouting',
      type: 'nat',
      hook: 'postrouting',
      priority: 100,
      rules: [
        { matches: [{ type: 'mark', mask: 0x4000, value: 0x4000 }], verdict: { type: 'return' }, comment: 'probe' },
        {
          matches: [
            { type: 'source', cidr: POD_NETWORK },
            { type: 'destination', cidr: POD_NETWORK, negated: true },
          ],
          verdict: { type: 'masquerade', fullyRandom: true },
          comment: 'probe',
        },
      ],
    },
    {
      name: 'forward',
      type: 'filter',
      hook: 'forward',
      priority: 0,
      rules: [{ matches: [{ type: 'source', cidr: POD_NETWORK }], verdict: { type: 'accept' }, comment: 'probe' }],
    },
  ],
};

export const POLICY_GUARD: PolicyGuard = { nodeAddresses: POD_ADDRESSES, tunnelPorts: [8472], allowSample: 16 };

const INGRESS = 'in-000000000001';
const EGRESS = 'eg-000000000001';
const [ADDRESSES, PORTS, RANGES] = ['ad-000000000001', 'ap-000000000001', 'bl-000000000001'] as const;

const MEMBERS: ReadonlyMap<string, readonly SetMember[]> = new Map([
  [ADDRESSES, POD_ADDRESSES.map((ip): SetMember => ({ kind: 'addresses', ip }))],
  [PORTS, POD_ADDRESSES.map((ip): SetMember => ({ kind: 'address-ports', ip, protocol: 'TCP', port: 80 }))],
  [RANGES, BLOCKS.map((block): SetMember => ({ kind: 'blocks', first: block.ip, last: cidrLast(block) }))],
]);

const SETS: readonly RuleSet[] = [
  { id: ADDRESSES, kind: 'addresses' },
  { id: PORTS, kind: 'address-ports' },
  { id: RANGES, kind: 'blocks' },
];

const SOME_PORTS = [
  {
    protocol: 'TCP' as const,
    ranges: [
      { first: 80, last: 80 },
      { first: 8000, last: 8080 },
    ],
  },
  { protocol: 'SCTP' as const, ranges: [] },
];

const CHAINS: readonly RuleChain[] = [
  {
    id: INGRESS,
    direction: 'ingress',
    rules: [
      { peer: { type: 'any' }, ports: SOME_PORTS },
      { peer: { type: 'addresses', set: ADDRESSES }, ports: 'any', counters: ['in-000000000001-000000000001'] },
    ],
    denied: ['in-000000000001-denied'],
  },
  {
    id: EGRESS,
    direction: 'egress',
    rules: [
      { peer: { type: 'address-ports', set: PORTS }, ports: 'any' },
      { peer: { type: 'blocks', set: RANGES }, ports: SOME_PORTS },
    ],
  },
];

const ENDPOINT: RuleEndpoint = {
  key: 'probe',
  hostInterface: unwrap(parseInterfaceName('cnl00000000001')),
  // The one that needs the most families.
  mode: 'bridge',
  mac: unwrap(parseMac('02:00:00:00:00:01')),
  addresses: POD_ADDRESSES,
  ingress: INGRESS,
  egress: EGRESS,
};

export const POLICY_VIEW: RuleView = {
  endpoints: () => [ENDPOINT],
  chains: () => CHAINS,
  sets: () => SETS,
  members: (id) => membersOf(id),
  memberCount: (id) => membersOf(id).length,
  keptCounters: () => new Set(),
};

function membersOf(id: string): readonly SetMember[] {
  const members = MEMBERS.get(id);
  if (members === undefined) throw new RangeError(id);
  return members;
}
