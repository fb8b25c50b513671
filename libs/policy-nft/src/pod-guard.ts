/**
 * What a pod may send at all, as it comes from its interface, before conntrack knows of it. What a neighbour message is
 * about is not looked into: the node asks nobody for a pod's address, and what it has of one interface it takes from no
 * other.
 */
import {
  CT_STATE,
  goto,
  matchAddress,
  matchCtState,
  matchFamily,
  matchIcmpType,
  matchInterface,
  matchInterfaceKind,
  matchProtocol,
  matchReversePath,
  matchSet,
  NFT_FIELD,
  NFT_VERDICT,
  type NftExpression,
  verdict,
} from 'netlink-ts';
import { BRIDGE_NAME, HOST_VETH_PREFIX } from '@canal/model';
import { type Cidr, parseCidr, unwrap } from 'net-types';
import { CHAIN } from './chain-names.ts';
import type { RuleImage } from './table-image.ts';

export const POD_INTERFACES = `${HOST_VETH_PREFIX}*`;

export const ICMPV6 = 58;
/** ICMPv6: router advertisement and redirect. */
export const ROUTERS_WORDS = [134, 137] as const;

export const LINK_LOCAL: Cidr = unwrap(parseCidr('fe80::/10'));
export const MULTICAST: Cidr = unwrap(parseCidr('ff00::/8'));
/** The source of duplicate address detection. */
export const UNSPECIFIED: Cidr = unwrap(parseCidr('::/128'));

export const POD_GUARD_RULES: readonly RuleImage[] = [
  ...ROUTERS_WORDS.map((type) => [...isIcmpv6(), ...matchIcmpType(type), goto('spoofed')]),
  ...neighbourDiscovery(),
  [...matchFamily(4), ...matchSet('owners4', [NFT_FIELD.iifname, NFT_FIELD.ipSaddr], true), goto('stranger')],
  [...matchFamily(6), ...matchSet('owners6', [NFT_FIELD.iifname, NFT_FIELD.ip6Saddr], true), goto('stranger')],
  [...matchSet('encapsulations', [NFT_FIELD.l4proto]), goto('tunnel')],
];

/**
 * Who a packet is from is told by its address: so nobody but a pod's own interface brings the addresses of this node's
 * pods. Pods of a bridge come by the bridge, whose ports have their own guard; what loops through `lo` (a transparent
 * proxy) is the node's.
 */
export function guardRules(isBridgeGuarded: boolean): readonly RuleImage[] {
  return [
    [...matchInterface('iifname', POD_INTERFACES), goto(CHAIN.pod)],
    [...matchInterface('iifname', 'lo'), verdict(NFT_VERDICT.ACCEPT)],
    // Where the ports cannot be guarded nobody knows who speaks.
    [...matchInterface('iifname', BRIDGE_NAME), goto(isBridgeGuarded ? CHAIN.fromBridge : 'unknown-endpoint')],
    // What br_netfilter shows of a frame that another bridge carries (PASSING of the bridge family). The node gets none.
    ...(isBridgeGuarded ? [[...acrossBridge('iifkind'), verdict(NFT_VERDICT.ACCEPT)]] : []),
    ...fromLocalPods(goto('spoofed')),
  ];
}

/** By a bridge, and conntrack was told to leave it alone. */
export function acrossBridge(side: 'iifkind' | 'oifkind'): NftExpression[] {
  return [...matchInterfaceKind(side, 'bridge'), ...matchCtState(CT_STATE.UNTRACKED)];
}

/**
 * That the addresses of our pods are brought by their own ports alone is seen to in the bridge family. Ports that are not
 * ours (pods that another plugin attached) bring what is behind the bridge, and nothing of elsewhere.
 */
export const FROM_BRIDGE_RULES: readonly RuleImage[] = [
  ...fromLocalPods(verdict(NFT_VERDICT.ACCEPT)),
  ...neighbourDiscovery(),
  [...matchReversePath(true), verdict(NFT_VERDICT.ACCEPT)],
  [goto('spoofed')],
];

/** No element of owners4 or owners6: is it the interface that nobody told of, or the address? */
export const STRANGER_RULES: readonly RuleImage[] = [
  [...matchSet('pods', [NFT_FIELD.iifname], true), goto('unknown-endpoint')],
  [goto('spoofed')],
];

/** What becomes of packets from addresses of this node's pods, by whatever interface they come. */
export function fromLocalPods(
  fate: NftExpression,
  isFamily: (family: 4 | 6) => readonly NftExpression[] = matchFamily,
): readonly RuleImage[] {
  return [
    [...isFamily(4), ...matchSet('local4', [NFT_FIELD.ipSaddr]), fate],
    [...isFamily(6), ...matchSet('local6', [NFT_FIELD.ip6Saddr]), fate],
  ];
}

/** From addresses that are nobody's of their own. */
function neighbourDiscovery(): RuleImage[] {
  return [LINK_LOCAL, UNSPECIFIED].map((source) => [
    ...matchFamily(6),
    ...matchAddress('saddr', source),
    ...matchProtocol(ICMPV6),
    ...matchSet('nd-types', [NFT_FIELD.icmpType]),
    verdict(NFT_VERDICT.ACCEPT),
  ]);
}

function isIcmpv6(): NftExpression[] {
  return [...matchFamily(6), ...matchProtocol(ICMPV6)];
}
