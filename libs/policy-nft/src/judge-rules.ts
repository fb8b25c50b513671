/** Who may send to whom: the order of questions before a policy is asked. */
import type { PolicyGuard } from '@canal/kernel-port';
import type { Direction } from '@canal/rules-ast';
import {
  CT_STATE,
  goto,
  jump,
  limitRate,
  matchAddress,
  matchAddressType,
  matchCtMark,
  matchCtState,
  matchFamily,
  matchInterface,
  matchInterfaceIndex,
  matchInterfaceKind,
  matchProtocol,
  matchSet,
  matchTcpFlags,
  NFT_FIELD,
  NFT_VERDICT,
  type NftExpression,
  type NftField,
  RTN,
  sample,
  verdict,
  verdictMap,
} from 'netlink-ts';
import { BRIDGE_NAME } from '@canal/model';
import type { IpFamily } from 'net-types';
import { CHAIN, DENIED_CHAIN, DIRECTIONS, isolatedSet, POLICY_CHAIN } from './chain-names.ts';
import { CUT_MARK } from './cut-mark.ts';
import { acrossBridge, LINK_LOCAL, MULTICAST, POD_INTERFACES } from './pod-guard.ts';
import { tell } from './reason-rules.ts';
import { FAMILIES } from './rule-set.ts';
import type { RuleImage } from './table-image.ts';

/** Bits of the TCP header (RFC 9293). */
const TCP_FLAG = { FIN: 0x01, SYN: 0x02, RST: 0x04, ACK: 0x10 } as const;

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;

const SOURCE = { 4: NFT_FIELD.ipSaddr, 6: NFT_FIELD.ip6Saddr } as const;
const DESTINATION = { 4: NFT_FIELD.ipDaddr, 6: NFT_FIELD.ip6Daddr } as const;

const ACCEPT = verdict(NFT_VERDICT.ACCEPT);

/**
 * A flow that was cut has no rights at all. It is asked for where conntrack has just told the flow, before anybody's rule
 * can write to the flow's mark: what others write (`CONNMARK --set-mark` without a mask) would take our bit away.
 */
export const CUT_RULES: readonly RuleImage[] = [[...matchCtMark(CUT_MARK, CUT_MARK), goto('cut')]];

/** What need not be asked: flows that are known, and errors about them. */
const KNOWN_FLOWS: readonly RuleImage[] = [
  [...matchCtState(CT_STATE.ESTABLISHED), ACCEPT],
  // Of what conntrack calls related errors alone: a data channel that a helper expects is a flow of its own.
  ...[ICMP, ICMPV6].map((protocol) => [...matchCtState(CT_STATE.RELATED), ...matchProtocol(protocol), ACCEPT]),
];

const ND: readonly NftExpression[] = [
  ...matchFamily(6),
  ...matchProtocol(ICMPV6),
  ...matchSet('nd-types', [NFT_FIELD.icmpType]),
];

/**
 * Neighbours speak on their link alone; what a router forwards of it no neighbour heeds, but it can carry data. What the
 * node itself says comes with an input interface, unlike all else of its own.
 */
const ND_OF_LINK: readonly RuleImage[] = [
  ...[LINK_LOCAL, MULTICAST].map((link) => matchAddress('daddr', link)),
  matchAddressType('saddr', RTN.LOCAL),
].map((ofLink) => [...ND, ...ofLink, ACCEPT]);

/**
 * A flow that conntrack picks up in its middle would open the way for answers that nobody allowed; at a pod that is
 * isolated a flow begins at its beginning.
 */
const MIDSTREAM: readonly RuleImage[] = [
  [...matchCtState(CT_STATE.INVALID), jump(CHAIN.midstream)],
  [...matchCtState(CT_STATE.NEW), ...matchProtocol(TCP), ...notBareSyn(), jump(CHAIN.midstream)],
];

function notBareSyn(): NftExpression[] {
  const { FIN, SYN, RST, ACK } = TCP_FLAG;
  return matchTcpFlags(SYN, FIN | SYN | RST | ACK, true);
}

export const MIDSTREAM_RULES: readonly RuleImage[] = FAMILIES.flatMap((family) =>
  [SOURCE, DESTINATION].flatMap((side) =>
    DIRECTIONS.map((direction) => [
      ...matchFamily(family),
      ...matchSet(isolatedSet(direction, family), [side[family]]),
      goto('invalid'),
    ]),
  ),
);

/**
 * The chain that an isolated address is judged by: the map goes to that of its policies. Where it has none the packet is
 * denied: kernels before 6.17 find nothing for a moment when an element of the map becomes another one.
 */
export const POLICY_RULES: Readonly<Record<Direction, readonly RuleImage[]>> = {
  egress: policyRules('egress', SOURCE),
  ingress: policyRules('ingress', DESTINATION),
};

/** A pod to itself, by a Service: if it came from a pod, or by the bridge. From elsewhere the source is forged. */
export const SELF_RULES: readonly RuleImage[] = [
  [...matchInterface('iifname', POD_INTERFACES), ACCEPT],
  [...matchInterfaceKind('iifkind', 'bridge'), ACCEPT],
  // Kernels before 5.5 do not say here where a packet came from.
  [...matchInterfaceIndex('iif', 0), ACCEPT],
];

export const JUDGE_RULES: readonly RuleImage[] = [
  [...matchInterface('oifname', 'lo'), ACCEPT],
  ...KNOWN_FLOWS,
  ...ND_OF_LINK,
  // The node to its pods. What came in by an interface is not its own, whatever its source says.
  [...matchInterfaceIndex('iif', 0), ...matchAddressType('saddr', RTN.LOCAL), ACCEPT],
  // Frames that br_netfilter shows, of another bridge than that of pods; what the node routes or sends is tracked, or has
  // an input interface.
  [
    ...matchInterfaceIndex('iif', 0),
    ...matchInterface('oifname', BRIDGE_NAME, true),
    ...acrossBridge('oifkind'),
    ACCEPT,
  ],
  ...MIDSTREAM,
  ...FAMILIES.map((family) => [
    ...matchFamily(family),
    ...matchSet(`self${family}`, [SOURCE[family], DESTINATION[family]]),
    jump(CHAIN.self),
  ]),
  ...FAMILIES.map((family) => [
    ...matchProtocol(UDP),
    ...matchSet('tunnel-ports', [NFT_FIELD.dport]),
    ...matchFamily(family),
    ...matchSet(`nodes${family}`, [DESTINATION[family]]),
    ...matchSet(`local${family}`, [SOURCE[family]]),
    goto('tunnel'),
  ]),
  ...askPolicies('egress', SOURCE),
  ...askPolicies('ingress', DESTINATION),
  ...FAMILIES.map((family) => [
    ...matchInterface('oifname', POD_INTERFACES),
    ...matchFamily(family),
    ...matchSet(`owners${family}`, [NFT_FIELD.oifname, DESTINATION[family]], true),
    goto('unknown-endpoint'),
  ]),
  [jump(CHAIN.sample)],
];

export const INPUT_RULES: readonly RuleImage[] = [
  [...matchInterface('iifname', 'lo'), ACCEPT],
  // Before known flows: tunnelled packets are judged one by one, and each is from a node.
  [...matchProtocol(UDP), ...matchSet('tunnel-ports', [NFT_FIELD.dport]), jump(CHAIN.tunnelInput)],
  ...KNOWN_FLOWS,
  [...ND, ACCEPT],
  ...MIDSTREAM,
  ...askPolicies('egress', SOURCE),
  [jump(CHAIN.sample)],
];

type AddressOf = Readonly<Record<IpFamily, NftField>>;

function askPolicies(direction: Direction, address: AddressOf): RuleImage[] {
  return FAMILIES.map((family) => [
    ...matchFamily(family),
    ...matchSet(isolatedSet(direction, family), [address[family]]),
    jump(POLICY_CHAIN[direction]),
  ]);
}

function policyRules(direction: Direction, address: AddressOf): RuleImage[] {
  return [
    ...FAMILIES.map((family) => [...matchFamily(family), ...verdictMap(`${direction}${family}`, [address[family]])]),
    [goto(DENIED_CHAIN[direction])],
  ];
}

/** As long as the nodes are not known nobody is refused. */
export function tunnelInputRules({ nodeAddresses }: PolicyGuard): readonly RuleImage[] {
  if (nodeAddresses.length === 0) return [];
  return [
    ...FAMILIES.map((family) => [...matchFamily(family), ...matchSet(`nodes${family}`, [SOURCE[family]]), ACCEPT]),
    [goto('tunnel')],
  ];
}

/** What a flood of new flows may take of the node by being told. */
const TOLD = { rate: 1000, per: 'second', burst: 2000 } as const;

/** One in so many of the new flows of pods, which both ends allowed. */
export function sampleRules({ allowSample }: PolicyGuard): readonly RuleImage[] {
  if (allowSample <= 0) return [];
  const isSampled = allowSample === 1 ? [] : sample(1, allowSample);
  return FAMILIES.flatMap((family) =>
    // The source is asked first; a flow between two pods of this node is told once.
    [
      [...matchFamily(family), ...matchSet(`local${family}`, [SOURCE[family]])],
      [
        ...matchFamily(family),
        ...matchSet(`local${family}`, [DESTINATION[family]]),
        ...matchSet(`local${family}`, [SOURCE[family]], true),
      ],
    ].map((isOfPod) => [...matchCtState(CT_STATE.NEW), ...isOfPod, ...isSampled, limitRate(TOLD), tell('allowed')]),
  );
}
