/** What this kernel cannot do for policy, told with what to do about it. */
import type { PolicyLimit } from '@canal/kernel-port';
import { BRIDGE_NAME } from '@canal/model';
import type { RuleEndpoint } from '@canal/rules-ast';
import type { StaticInputs } from './static-tables.ts';

const ARP: PolicyLimit = {
  code: 'arp-unguarded',
  message:
    'this kernel has no family arp of nf_tables, so what routed pods say in ARP is not looked into. It takes no address from ' +
    'another pod, for the node asks nobody for theirs, but it can fill the table of neighbours. ' +
    'Cure: a kernel with CONFIG_NF_TABLES_ARP',
};

const BRIDGE: PolicyLimit = {
  code: 'bridge-isolated',
  message:
    `this kernel has no family bridge of nf_tables, so nobody can tell which pod on ${BRIDGE_NAME} a packet is from: all of them ` +
    'are isolated. Cure: a kernel with CONFIG_NF_TABLES_BRIDGE; or routed pods (no "mode": "bridge" in the CNI configuration), ' +
    'and the pods of this node made anew',
};

/** Without the family bridge nothing is amiss where there is no bridge. */
export function policyLimits(
  { gateway, families }: StaticInputs,
  endpoints: Iterable<Pick<RuleEndpoint, 'mode'>>,
): readonly PolicyLimit[] {
  const isBridged = !families.bridge && (gateway !== undefined || [...endpoints].some(({ mode }) => mode === 'bridge'));
  return [...(families.arp ? [] : [ARP]), ...(isBridged ? [BRIDGE] : [])];
}
