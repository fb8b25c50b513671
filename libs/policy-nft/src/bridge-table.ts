/**
 * Pods on a bridge: what the inet family cannot see of them. A pod sends from its own MAC and addresses (before the
 * bridge learns the MAC), and all that it sends goes to the bridge, so that the traffic of two pods of one node is routed
 * and judged as any other: the bridge answers for them (proxy_arp_pvlan, NDP entries), and gets what a pod sends to
 * another's MAC, which it knows from before policy was switched on. What then still goes from one pod's port to another's
 * is what br_netfilter, where it is on, has translated to the address of the other pod: it asks the inet family on that
 * way. No packet leaves by the port of a pod that it is not for.
 */
import {
  goto,
  jump,
  matchAddress,
  matchEtherDestination,
  matchEtherType,
  matchIcmpType,
  matchInterface,
  matchPacketType,
  matchProtocol,
  matchSet,
  NFPROTO,
  NFT_CMP,
  NFT_FIELD,
  NFT_PAYLOAD,
  NFT_REG,
  NFT_VERDICT,
  type NftExpression,
  notrack,
  PACKET_TYPE,
  setEtherDestination,
  setPacketType,
  verdict,
} from 'netlink-ts';
import type { IpFamily, Mac } from 'net-types';
import { arpSenderUnspecified } from './arp-table.ts';
import { CHAIN } from './chain-names.ts';
import {
  fromLocalPods,
  ICMPV6,
  LINK_LOCAL,
  POD_INTERFACES,
  ROUTERS_WORDS,
  STRANGER_RULES,
  UNSPECIFIED,
} from './pod-guard.ts';
import { reasonRules } from './reason-rules.ts';
import type { RuleImage, StaticTable } from './table-image.ts';

/** Hooks of linux/netfilter_bridge.h. LOCAL_IN: what a bridge hands up to the node, of which `iifname` is the port yet. */
const NF_BR = { PRE_ROUTING: 0, LOCAL_IN: 1, FORWARD: 2, POST_ROUTING: 4 } as const;
/** Before br_netfilter (0) and before others' filters (-200). */
const PRIORITY = -310;

const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;

/** IEEE 802.1Q and 802.1ad. */
const TAGGED = [0x8100, 0x88a8] as const;

/** Types of ICMPv6. */
const NEIGHBOUR_SOLICITATION = 135;
const REDIRECT = 137;

const ACCEPT = verdict(NFT_VERDICT.ACCEPT);

const DROP = verdict(NFT_VERDICT.DROP);

const FROM_POD: readonly RuleImage[] = [
  // A tag with number 0 is none to the node, but it hides the type of the frame from what asks for it here.
  ...TAGGED.map((type) => [...matchFrameType(type), goto('spoofed')]),
  [...matchSet('macs', [NFT_FIELD.iifname, NFT_FIELD.etherSaddr], true), goto(CHAIN.stranger)],
  [...matchGroupBit(0), jump(CHAIN.toNode)],
  ...[ETHERTYPE.IPV4, ETHERTYPE.IPV6].map((type) => [
    ...matchEtherType(type),
    ...matchSet('encapsulations', [NFT_FIELD.l4proto]),
    goto('tunnel'),
  ]),
  [...matchEtherType(ETHERTYPE.IPV4), ...matchSet('owners4', [NFT_FIELD.iifname, NFT_FIELD.ipSaddr]), ACCEPT],
  ...ROUTERS_WORDS.map((type) => [
    ...matchFrameType(ETHERTYPE.IPV6),
    ...matchProtocol(ICMPV6),
    ...matchIcmpType(type),
    goto('spoofed'),
  ]),
  // The node would say of each address that it answers for that it is taken. No answer means that the address is free,
  // and a pod's own is; of any other the pod may say what it likes.
  [
    ...matchEtherType(ETHERTYPE.IPV6),
    ...matchAddress('saddr', UNSPECIFIED),
    ...matchProtocol(ICMPV6),
    ...matchIcmpType(NEIGHBOUR_SOLICITATION),
    DROP,
  ],
  ...[LINK_LOCAL, UNSPECIFIED].map((source) => [
    ...matchEtherType(ETHERTYPE.IPV6),
    ...matchAddress('saddr', source),
    ...matchProtocol(ICMPV6),
    ...matchSet('nd-types', [NFT_FIELD.icmpType]),
    ACCEPT,
  ]),
  [...matchEtherType(ETHERTYPE.IPV6), ...matchSet('owners6', [NFT_FIELD.iifname, NFT_FIELD.ip6Saddr]), ACCEPT],
  [...matchFrameType(ETHERTYPE.ARP), ...arpSenderUnspecified(), ACCEPT],
  [...matchFrameType(ETHERTYPE.ARP), ...matchSet('owners4', [NFT_FIELD.iifname, NFT_FIELD.arpSaddrIp]), ACCEPT],
  [goto(CHAIN.stranger)],
];

/** What a pod sends to the MAC of another becomes what it sends to the node, and is then looked at as that. */
function toNodeRules(gateway: Mac | undefined): readonly RuleImage[] {
  if (gateway === undefined) return [[DROP]];
  return [
    [...matchEtherDestination(gateway, true), ...setEtherDestination(gateway), ...setPacketType(PACKET_TYPE.HOST)],
  ];
}

/**
 * By ports that are no pods' comes what crosses other bridges of this node too, which have address spaces of their own (no
 * rule can tell which bridge: CONFIG_NFT_BRIDGE_META is not to be had on every kernel). What bears an address of a pod of
 * ours there is nothing to us until the node gets it (FROM_OTHER_PORT) or a pod's port (BETWEEN_PORTS), so it is not
 * dropped. But with bridge-nf-call-iptables conntrack is asked before: a forged RST would end a pod's connection, a
 * forged request would let its answer in. So conntrack gets nothing from such an address, nor, of what is for others than
 * the node, to one: both ways of a flow across another bridge are untracked, and judge knows them by it.
 */
const PASSING: readonly RuleImage[] = [
  ...fromLocalPods(notrack(), matchIpType),
  ...([4, 6] as const).map((family) => [
    ...matchPacketType(PACKET_TYPE.OTHERHOST),
    ...matchIpType(family),
    ...matchSet(`local${family}`, [family === 4 ? NFT_FIELD.ipDaddr : NFT_FIELD.ip6Daddr]),
    notrack(),
  ]),
];

/**
 * No other port brings the node the address of a pod of ours, by whatever bridge: the node takes frames to the bridge, to
 * the port that they come by, and to groups.
 */
const FROM_OTHER_PORT: readonly RuleImage[] = [
  // What has two tags or more shows nobody here what it is; the node takes off all that have number 0. Those with other
  // numbers are nothing to it.
  ...TAGGED.map((type) => [...secondTagIsZero(), ...matchEtherType(type), goto('spoofed')]),
  ...fromLocalPods(goto('spoofed'), matchIpType),
];

/** ARP and neighbour discovery go to every port; what is asked there is no secret. */
const TO_POD: readonly RuleImage[] = [
  // With bridge-nf-call-ip6tables the node takes what it has translated for a packet that leaves as it came.
  [...matchFrameType(ETHERTYPE.IPV6), ...matchProtocol(ICMPV6), ...matchIcmpType(REDIRECT), DROP],
  [...matchEtherType(ETHERTYPE.IPV4), ...matchSet('owners4', [NFT_FIELD.oifname, NFT_FIELD.ipDaddr]), ACCEPT],
  [...matchEtherType(ETHERTYPE.IPV6), ...matchSet('owners6', [NFT_FIELD.oifname, NFT_FIELD.ip6Daddr]), ACCEPT],
  [...matchEtherType(ETHERTYPE.ARP), ACCEPT],
  [...matchFrameType(ETHERTYPE.IPV6), ...matchProtocol(ICMPV6), ...matchSet('nd-types', [NFT_FIELD.icmpType]), ACCEPT],
  [goto('unknown-endpoint')],
];

const fromPods = matchInterface('iifname', POD_INTERFACES);
const toPods = matchInterface('oifname', POD_INTERFACES);

const BETWEEN_PORTS: readonly RuleImage[] = [
  [...toPods, ...matchGroupBit(1), DROP],
  [...toPods, ...matchInterface('iifname', POD_INTERFACES, true), DROP],
  [...fromPods, ...matchInterface('oifname', POD_INTERFACES, true), DROP],
];

function matchIpType(family: IpFamily): NftExpression[] {
  return matchEtherType(family === 4 ? ETHERTYPE.IPV4 : ETHERTYPE.IPV6);
}

/**
 * The same question as matchEtherType, asked of the frame: what nft makes of a rule without addresses of IP when a
 * listing is loaded. So a table that was loaded from its listing is no difference to us.
 */
function matchFrameType(type: number): NftExpression[] {
  const sreg = NFT_REG.REG_1;
  return [
    NFT_FIELD.etherType.load(sreg),
    { type: 'cmp', sreg, op: NFT_CMP.EQ, data: { value: Uint8Array.of(type >>> 8, type) } },
  ];
}

/**
 * `@nh,0,16 & 0xfff == 0`, of a frame with two tags: the kernel has taken the first one off, and the bridge may do away
 * with it. To be asked before the type: nft 1.0 aborts when it lists this behind it.
 */
function secondTagIsZero(): NftExpression[] {
  const sreg = NFT_REG.REG_1;
  return [
    { type: 'payload', dreg: sreg, base: NFT_PAYLOAD.NETWORK_HEADER, offset: 0, length: 2 },
    {
      type: 'bitwise',
      sreg,
      dreg: sreg,
      length: 2,
      mask: { value: Uint8Array.of(0x0f, 0xff) },
      xor: { value: Uint8Array.of(0, 0) },
    },
    { type: 'cmp', sreg, op: NFT_CMP.EQ, data: { value: Uint8Array.of(0, 0) } },
  ];
}

/** `ether daddr & 01:00:00:00:00:00`: 1 for multicast and broadcast. */
function matchGroupBit(bit: 0 | 1): NftExpression[] {
  const sreg = NFT_REG.REG_1;
  const first = (byte: number): { value: Uint8Array } => ({ value: Uint8Array.of(byte, 0, 0, 0, 0, 0) });
  return [
    NFT_FIELD.etherDaddr.load(sreg),
    { type: 'bitwise', sreg, dreg: sreg, length: 6, mask: first(1), xor: first(0) },
    { type: 'cmp', sreg, op: NFT_CMP.EQ, data: first(bit) },
  ];
}

/** `gateway`: MAC of the bridge, where there is one. */
export function bridgeTable(gateway: Mac | undefined): StaticTable {
  return {
    family: NFPROTO.BRIDGE,
    sets: [
      { name: 'nd-types', key: 'icmpv6_type' },
      { name: 'encapsulations', key: 'inet_proto' },
      { name: 'pods', key: 'ifname' },
      { name: 'macs', key: ['ifname', 'ether_addr'] },
      { name: 'owners4', key: ['ifname', 'ipv4_addr'] },
      { name: 'owners6', key: ['ifname', 'ipv6_addr'] },
      { name: 'local4', key: 'ipv4_addr' },
      { name: 'local6', key: 'ipv6_addr' },
    ],
    chains: [
      ...(['spoofed', 'tunnel', 'unknown-endpoint'] as const).map((reason) => ({
        name: reason,
        rules: reasonRules(reason),
      })),
      { name: CHAIN.stranger, rules: STRANGER_RULES },
      { name: CHAIN.toNode, rules: toNodeRules(gateway) },
      { name: CHAIN.passing, rules: PASSING },
      { name: CHAIN.otherPort, rules: FROM_OTHER_PORT },
      { name: CHAIN.pod, rules: FROM_POD },
      { name: CHAIN.toPod, rules: TO_POD },
      {
        name: CHAIN.guard,
        hook: { number: NF_BR.PRE_ROUTING, priority: PRIORITY },
        rules: [[...fromPods, goto(CHAIN.pod)], [jump(CHAIN.passing)]],
      },
      {
        name: CHAIN.handedUp,
        hook: { number: NF_BR.LOCAL_IN, priority: PRIORITY },
        rules: [[...matchInterface('iifname', POD_INTERFACES, true), jump(CHAIN.otherPort)]],
      },
      {
        name: CHAIN.forward,
        hook: { number: NF_BR.FORWARD, priority: PRIORITY },
        rules: BETWEEN_PORTS,
      },
      {
        name: CHAIN.output,
        hook: { number: NF_BR.POST_ROUTING, priority: PRIORITY },
        rules: [[...toPods, jump(CHAIN.toPod)]],
      },
    ],
  };
}
