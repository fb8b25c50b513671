/**
 * The tables that are always there, with pods or without. Who a packet is from and to is told by its addresses, and
 * `guard` sees to it that a pod's are its own; so nothing here hangs on which way a packet takes:
 *
 *     guard          prerouting, before conntrack     pods use their own addresses, no encapsulation, no router's words
 *     cut-incoming   prerouting, behind conntrack     no packet of a flow that was cut
 *     cut-own        output, behind conntrack         the same of what the node sends
 *     judge          postrouting, after every DNAT,   forwarded packets, the node's own, and those that IPVS makes
 *                    before every masquerade
 *     input          input, behind IPVS               from pods to their node; to the tunnel ports
 *
 * Addresses that are isolated go by `policies-out` and `policies-in` to the chains of their policies.
 */
import type { PolicyGuard } from '@canal/kernel-port';
import { POLICY_NFT_TABLE } from '@canal/model';
import { NF_INET, NFPROTO } from 'netlink-ts';
import type { Mac } from 'net-types';
import { ARP_TABLE } from './arp-table.ts';
import { bridgeTable } from './bridge-table.ts';
import { CHAIN, DIRECTIONS, DROP_REASONS, POLICY_CHAIN } from './chain-names.ts';
import {
  CUT_RULES,
  INPUT_RULES,
  JUDGE_RULES,
  MIDSTREAM_RULES,
  POLICY_RULES,
  sampleRules,
  SELF_RULES,
  tunnelInputRules,
} from './judge-rules.ts';
import type { KernelFamilies } from './kernel-families.ts';
import { FROM_BRIDGE_RULES, guardRules, POD_GUARD_RULES, STRANGER_RULES } from './pod-guard.ts';
import { reasonRules } from './reason-rules.ts';
import { INET_SETS } from './static-sets.ts';
import type { StaticTable } from './table-image.ts';

export const POLICY_FAMILIES: readonly number[] = [NFPROTO.INET, NFPROTO.ARP, NFPROTO.BRIDGE];

export const TABLE = POLICY_NFT_TABLE;

/** Before conntrack is asked (-200), after fragments are put together (-400). */
const GUARD_PRIORITY = -310;
/** Behind conntrack (-200), before mangle (-150). */
const CUT_PRIORITY = -199;
/** DNAT is at -100 of prerouting, masquerade at 100 (SNAT in IPVS at 99 of input). */
const JUDGE_PRIORITY = 50;
const INPUT_PRIORITY = 110;

/** What the static tables hang on. */
export interface StaticInputs {
  readonly guard: PolicyGuard;
  /** MAC of the bridge, where there is one. */
  readonly gateway: Mac | undefined;
  readonly families: KernelFamilies;
}

export function staticTables(inputs: StaticInputs): readonly StaticTable[] {
  const { gateway, families } = inputs;
  return [inetTable(inputs), ...(families.arp ? [ARP_TABLE] : []), ...(families.bridge ? [bridgeTable(gateway)] : [])];
}

function inetTable({ guard, families }: StaticInputs): StaticTable {
  return {
    family: NFPROTO.INET,
    sets: INET_SETS,
    chains: [
      ...DROP_REASONS.map((reason) => ({ name: reason, rules: reasonRules(reason) })),
      { name: CHAIN.stranger, rules: STRANGER_RULES },
      { name: CHAIN.pod, rules: POD_GUARD_RULES },
      { name: CHAIN.fromBridge, rules: FROM_BRIDGE_RULES },
      ...DIRECTIONS.map((direction) => ({ name: POLICY_CHAIN[direction], rules: POLICY_RULES[direction] })),
      { name: CHAIN.midstream, rules: MIDSTREAM_RULES },
      { name: CHAIN.self, rules: SELF_RULES },
      { name: CHAIN.tunnelInput, rules: tunnelInputRules(guard) },
      { name: CHAIN.sample, rules: sampleRules(guard) },
      {
        name: CHAIN.guard,
        hook: { number: NF_INET.PRE_ROUTING, priority: GUARD_PRIORITY },
        rules: guardRules(families.bridge),
      },
      {
        name: CHAIN.cutIncoming,
        hook: { number: NF_INET.PRE_ROUTING, priority: CUT_PRIORITY },
        rules: CUT_RULES,
      },
      { name: CHAIN.cutOwn, hook: { number: NF_INET.LOCAL_OUT, priority: CUT_PRIORITY }, rules: CUT_RULES },
      { name: CHAIN.judge, hook: { number: NF_INET.POST_ROUTING, priority: JUDGE_PRIORITY }, rules: JUDGE_RULES },
      { name: CHAIN.input, hook: { number: NF_INET.LOCAL_IN, priority: INPUT_PRIORITY }, rules: INPUT_RULES },
    ],
  };
}
