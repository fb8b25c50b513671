/**
 * What /readyz answers: whether this node forwards for its pods. Peers do not count (one dead node would make all
 * others unready), and neither does the API server once the first sync is done.
 */
import type { HealthAnswer } from '@canal/telemetry';
import { describeProblem } from './node-problem.ts';
import type { NetworkResult } from './node-network.ts';

export interface ReadinessInput {
  readonly nodesInSync: boolean;
  readonly apiError?: string;
  readonly network?: NetworkResult;
  /** The first turn over a complete list of nodes has ended. */
  readonly firstSyncDone: boolean;
  readonly networkFault?: string;
  readonly rulesFault?: string;
  readonly subnetFileFault?: string;
  /** Why pods cannot have their policy rules yet. */
  readonly policyFault?: string;
  /** Why the runtime has no configuration that calls the plugin. */
  readonly cniConfFault?: string;
  /** What people should know of a node that is ready. */
  readonly notes?: readonly string[];
}

export function readiness(input: ReadinessInput): HealthAnswer {
  const reasons = reasonsOf(input);
  const { notes = [] } = input;
  return reasons.length === 0
    ? { ok: true, text: ['ok', ...notes].join('\n') }
    : { ok: false, text: [...reasons, ...notes].join('\n') };
}

function reasonsOf({
  nodesInSync,
  apiError,
  network,
  firstSyncDone,
  networkFault,
  rulesFault,
  subnetFileFault,
  policyFault,
  cniConfFault,
}: ReadinessInput): string[] {
  if (network?.own === undefined) {
    const problems = network?.nodeProblems.map(describeProblem) ?? [];
    if (!nodesInSync) problems.unshift(`waiting for the list of nodes${apiError === undefined ? '' : `: ${apiError}`}`);
    if (networkFault !== undefined) problems.push(networkFault);
    return problems.length > 0 ? problems : ['starting'];
  }
  const reasons = [...network.localFaults];
  if (!firstSyncDone) reasons.push('the first sync is not done yet');
  if (networkFault !== undefined) reasons.push(networkFault);
  if (rulesFault !== undefined) reasons.push(rulesFault);
  if (subnetFileFault !== undefined) reasons.push(subnetFileFault);
  if (policyFault !== undefined) reasons.push(policyFault);
  if (cniConfFault !== undefined) reasons.push(cniConfFault);
  return reasons;
}
