/**
 * Chains of others in which new flows of pods end. An accept in a table of ours cannot overrule them: every chain at a
 * hook has to let a packet pass. So they are named, with what the administrator can do.
 *
 * Judged is what holds for every packet of the pods' network: policies, rules without further conditions, rules on those
 * addresses.
 */
import type { ForwardDrop, ForwardTraffic } from '@canal/kernel-port';
import { type Cidr, formatCidr } from 'net-types';
import { type BaseChain, followPacket, type PathEnd } from './nft-packet-path.ts';
import { forwardCure } from './forward-cure.ts';
import { FORWARD_TRAFFIC, podPacket } from './pod-packets.ts';

/** Where a base chain stands. */
export interface ForwardPlace {
  /** As ForwardDrop has it. */
  readonly family: string;
  readonly table: string;
  /** Docker's chain for rules of the administrator is in the table. */
  readonly hasDockerUser: boolean;
}

export const DOCKER_USER = 'DOCKER-USER';

/** One entry for each rule or policy that drops. */
export function forwardDrops(base: BaseChain, place: ForwardPlace, network: Cidr): ForwardDrop[] {
  const ends = FORWARD_TRAFFIC.map((traffic) => ({ traffic, end: followPacket(base, podPacket(traffic, network)) }));
  const dropped = ends.filter(({ end }) => end.verdict === 'drop');
  const groups = Map.groupBy(dropped, ({ end }) => `${end.by} ${end.chain}`);
  return [...groups.values()].map((group) => describe(base, place, network, group));
}

function describe(
  base: BaseChain,
  { family, table, hasDockerUser }: ForwardPlace,
  network: Cidr,
  group: readonly { readonly traffic: ForwardTraffic; readonly end: PathEnd }[],
): ForwardDrop {
  const { by = 'policy', chain = base.name } = group[0]?.end ?? {};
  const undecidedRules = Math.max(...group.map(({ end }) => end.undecidedRules));
  const traffic = group.map((member) => member.traffic);
  const what = by === 'policy' ? 'its policy is drop' : 'a rule drops what no rule before has accepted';
  const doubt = undecidedRules === 0 ? '' : `; ${undecidedRules} rules with other conditions may let some of it pass`;
  return {
    family,
    table,
    chain,
    by,
    traffic,
    undecidedRules,
    message: `table ${family} ${table}, chain ${chain} drops new flows of ${formatCidr(network)} (${traffic.join(', ')}): ${what}${doubt}`,
    cure: forwardCure({ family, table, base: base.name, network, hasDockerUser }),
  };
}
