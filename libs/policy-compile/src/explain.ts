/** Why a flow passes or does not: the same questions as the kernel's rules ask, asked of the objects themselves. */
import { formatIp, ok, type Result } from 'net-types';
import { resolveEnds, type ResolvedEnd } from './explain-ends.ts';
import { packetOf, protocolName } from './explain-protocol.ts';
import { type JudgedEnd, judgeEnd } from './explain-verdict.ts';
import { explanationWords } from './explain-words.ts';
import type { EndVerdict, Explanation, FlowEnd, FlowQuestion, QuestionProblem } from './explanation.ts';
import type { PolicyModel } from './policy-model.ts';

export function explain(model: PolicyModel, question: FlowQuestion): Result<Explanation, QuestionProblem> {
  const ends = resolveEnds(model, question);
  if (!ends.ok) return ends;
  const { source, destination } = ends.value;
  const read = packetOf(question, source, destination, destination.subject ?? model.podOwning(destination.ip));
  if (!read.ok) return read;
  const packet = read.value;
  const egress = source.kind === 'pod' ? judgeEnd(model, 'egress', source, destination, packet) : undefined;
  const ingress = destination.kind === 'pod' ? judgeEnd(model, 'ingress', destination, source, packet) : undefined;
  const flow = { packet, source, destination, ...(egress && { egress }), ...(ingress && { ingress }) };
  return ok({
    verdict: egress?.verdict === 'deny' || ingress?.verdict === 'deny' ? 'deny' : 'allow',
    source: flowEnd(source),
    destination: flowEnd(destination),
    protocol: protocolName(packet.protocol),
    ...(packet.destinationPort !== undefined && { port: packet.destinationPort }),
    ...(egress && { egress: endVerdict(egress) }),
    ...(ingress && { ingress: endVerdict(ingress) }),
    words: explanationWords(model, flow),
  });
}

function flowEnd({ ip, kind, pod }: ResolvedEnd): FlowEnd {
  return { address: formatIp(ip), ...(pod && { pod }), kind };
}

function endVerdict({ direction, verdict, reason, policies, allowance, misses }: JudgedEnd): EndVerdict {
  return {
    direction,
    verdict,
    reason,
    policies: policies.map(({ namespace, name }) => `${namespace}/${name}`),
    ...(allowance && { rule: referenceTo(allowance) }),
    misses: misses.map((miss) => ({ ...referenceTo(miss), missed: miss.missed })),
  };
}

function referenceTo({ policy, rule }: Pick<NonNullable<JudgedEnd['allowance']>, 'policy' | 'rule'>): {
  readonly policy: string;
  readonly index: number;
} {
  return { policy: `${policy.namespace}/${policy.name}`, index: rule.index };
}
