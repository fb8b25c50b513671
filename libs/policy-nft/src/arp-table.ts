/** ARP does not come by the inet family. A pod that asks whether an address is free says no address of its own. */
import {
  matchInterface,
  jump,
  NFPROTO,
  NFT_CMP,
  NFT_FIELD,
  NFT_REG,
  type NftExpression,
  goto,
  matchSet,
  NFT_VERDICT,
  verdict,
} from 'netlink-ts';
import { CHAIN } from './chain-names.ts';
import { POD_INTERFACES, STRANGER_RULES } from './pod-guard.ts';
import { reasonRules } from './reason-rules.ts';
import type { StaticTable } from './table-image.ts';

/** NF_ARP_IN of linux/netfilter_arp.h. */
const ARP_IN = 0;

export const ARP_TABLE: StaticTable = {
  family: NFPROTO.ARP,
  sets: [
    { name: 'pods', key: 'ifname' },
    { name: 'owners4', key: ['ifname', 'ipv4_addr'] },
  ],
  chains: [
    ...(['spoofed', 'unknown-endpoint'] as const).map((reason) => ({ name: reason, rules: reasonRules(reason) })),
    { name: CHAIN.stranger, rules: STRANGER_RULES },
    {
      name: CHAIN.pod,
      rules: [
        [...arpSenderUnspecified(), verdict(NFT_VERDICT.ACCEPT)],
        [...matchSet('owners4', [NFT_FIELD.iifname, NFT_FIELD.arpSaddrIp], true), goto(CHAIN.stranger)],
      ],
    },
    {
      name: CHAIN.guard,
      hook: { number: ARP_IN, priority: 0 },
      rules: [[...matchInterface('iifname', POD_INTERFACES), jump(CHAIN.pod)]],
    },
  ],
};

/** `arp saddr ip 0.0.0.0`. */
export function arpSenderUnspecified(): NftExpression[] {
  return [
    NFT_FIELD.arpSaddrIp.load(NFT_REG.REG_1),
    { type: 'cmp', sreg: NFT_REG.REG_1, op: NFT_CMP.EQ, data: { value: new Uint8Array(4) } },
  ];
}
