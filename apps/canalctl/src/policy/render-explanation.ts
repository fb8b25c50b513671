/** Why a flow passes or does not, for people. */
import type { EndVerdict, Explanation, FlowEnd } from '@canal/policy-compile';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';

export function renderExplanation(explanation: Explanation): string {
  const { source, destination, egress, ingress, words } = explanation;
  const rows = [row('egress', source, egress), row('ingress', destination, ingress)];
  return [
    table([['AT', 'OF', 'VERDICT', 'REASON', 'ISOLATED BY', 'RULE'], ...rows]),
    '\n',
    ...words.map((line) => `${printableLine(line)}\n`),
  ].join('');
}

function row(direction: string, end: FlowEnd, judged: EndVerdict | undefined): readonly string[] {
  const name = end.pod === undefined ? end.address : `${end.pod.namespace}/${end.pod.name}`;
  const cells =
    judged === undefined
      ? ['-', end.kind === 'host' ? 'host-network' : end.kind, '-', '-']
      : [
          judged.verdict,
          judged.reason,
          judged.policies.length === 0 ? '-' : judged.policies.join(', '),
          judged.rule === undefined ? '-' : `${judged.rule.policy}[${judged.rule.index}]`,
        ];
  return [direction, name, ...cells].map(printableLine);
}
