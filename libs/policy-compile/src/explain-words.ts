/** An explanation in sentences, one a line. */
import type { RulePacket } from '@canal/rules-ast';
import { formatIp } from 'net-types';
import { excessWords } from './chain-limits.ts';
import type { ResolvedEnd } from './explain-ends.ts';
import { protocolName } from './explain-protocol.ts';
import { peersWords, portsWords } from './explain-rule-words.ts';
import type { JudgedEnd, MissedRule, RuleAllowance } from './explain-verdict.ts';
import type { PolicyModel } from './policy-model.ts';

export interface ExplainedFlow {
  readonly packet: RulePacket;
  readonly source: ResolvedEnd;
  readonly destination: ResolvedEnd;
  readonly egress?: JudgedEnd;
  readonly ingress?: JudgedEnd;
}

/** Rules that did not allow; more are counted. */
const MAX_MISSES = 20;

export function explanationWords(model: PolicyModel, flow: ExplainedFlow): readonly string[] {
  const { source, destination, egress, ingress } = flow;
  return [
    headWords(flow),
    ...(egress === undefined
      ? [`no policy is asked at the source: ${whatItIs(source)}`]
      : endWords(egress, source, destination)),
    ...(ingress === undefined
      ? [`no policy is asked at the destination: ${whatItIs(destination)}`]
      : endWords(ingress, destination, source)),
    ...(ingress === undefined ? [] : peerNote(model, source)),
    ...(egress === undefined ? [] : peerNote(model, destination)),
    ...(ingress?.verdict === 'deny' ? otherNodeNote(source, destination) : []),
  ];
}

function headWords({ packet, source, destination, egress, ingress }: ExplainedFlow): string {
  const denials = [egress, ingress].filter((end) => end?.verdict === 'deny').map((end) => end?.direction);
  const verdict = denials.length === 0 ? 'allowed' : `denied at ${denials.join(' and ')}`;
  const what = `${protocolName(packet.protocol)}${packet.destinationPort === undefined ? '' : ` ${packet.destinationPort}`}`;
  return `${withAddress(source)} to ${withAddress(destination)}, ${what}: ${verdict}`;
}

function withAddress({ name, ip }: ResolvedEnd): string {
  const address = formatIp(ip);
  return name === address ? address : `${name} (${address})`;
}

function whatItIs(end: ResolvedEnd): string {
  if (end.kind === 'outside') return `${end.name} is no pod and no node that is known`;
  return end.pod === undefined ? `${end.name} is a node` : `${end.name} is on the network of its node`;
}

function endWords(judged: JudgedEnd, at: ResolvedEnd, other: ResolvedEnd): readonly string[] {
  const { direction, policies } = judged;
  const place = `${direction} at ${at.name}`;
  switch (judged.reason) {
    case 'same-pod':
      return [`${place}: a pod reaches itself whatever policies say`];
    case 'own-node':
      return [`${place}: ${other.name} is its own node, which may always reach it`];
    case 'unknown-pod':
      return [`${place}: nothing passes until the API tells of its pod`];
    case 'address-taken':
      return [`${place}: nothing passes while another endpoint of this node has an address of it`];
    case 'too-many-rules':
      return [
        `${place}: isolated by ${names(policies)}; nothing passes, because together they are ${excessOf(judged)}`,
      ];
    case 'not-isolated':
      return [`${place}: not isolated, no policy selects it for ${direction}`];
    case 'allowed-by-rule':
      return [`${place}: isolated by ${names(policies)}; ${allowanceWords(judged)}`, ...problemWords(judged)];
    case 'no-rule-allows':
      return [
        `${place}: isolated by ${names(policies)}; ${denialWords(judged)}`,
        ...missWords(judged, other),
        ...problemWords(judged),
      ];
  }
}

function excessOf({ excess }: JudgedEnd): string {
  return excess === undefined ? 'too many rules' : excessWords(excess);
}

function names(policies: JudgedEnd['policies']): string {
  const texts = policies.map(nameOf);
  return texts.length === 1 ? texts.join() : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1) ?? ''}`;
}

function nameOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function ruleName({ policy, rule }: RuleAllowance | MissedRule): string {
  return `rule ${rule.index} of ${nameOf(policy)}`;
}

function allowanceWords({ direction, allowance }: JudgedEnd): string {
  if (allowance === undefined) return '';
  const { peer, port } = allowance;
  const peers = peersWords(direction, peer === 'any' ? peer : [peer]);
  const ports = portsWords(port === 'any' ? port : [port]);
  return `${ruleName(allowance)} allows ${peers}${portsAfter(direction, ports)}`;
}

/** Both directions name the destination's port. */
function portsAfter(direction: JudgedEnd['direction'], ports: string): string {
  return direction === 'ingress' ? ` to ${ports}` : `, ${ports}`;
}

function denialWords({ direction, misses }: JudgedEnd): string {
  return misses.length === 0 ? `there is no ${direction} rule, so nothing is allowed` : 'no rule allows it';
}

function missWords({ direction, misses }: JudgedEnd, other: ResolvedEnd): readonly string[] {
  const shown = misses.slice(0, MAX_MISSES).map((miss) => {
    const peers = peersWords(direction, miss.rule.peers);
    const ports = portsWords(miss.rule.ports);
    switch (miss.missed) {
      case 'peer':
        return `${ruleName(miss)} allows ${peers}: that is not ${other.name}`;
      case 'port':
        return `${ruleName(miss)} allows ${ports}: that is another port or protocol`;
      case 'peer-and-port':
        return `${ruleName(miss)} allows ${peers}${portsAfter(direction, ports)}: another peer, and another port or protocol`;
    }
  });
  return misses.length > MAX_MISSES
    ? [...shown, `and ${misses.length - MAX_MISSES} rules more do not allow it`]
    : shown;
}

/** What could not be read allows nothing, and whoever wrote it wonders why. */
function problemWords({ policies }: JudgedEnd): readonly string[] {
  return policies.flatMap((policy) =>
    policy.problems.map(({ field, message }) => `${nameOf(policy)} was not read whole: ${field}: ${message}`),
  );
}

/** Peers are told by address, and the API may have given that to another pod, or to none any more. */
function peerNote(model: PolicyModel, { ip, subject, kind, name }: ResolvedEnd): readonly string[] {
  if (kind !== 'pod') return [];
  const owner = model.podOwning(ip);
  if (owner !== undefined && owner.uid === subject?.uid && owner.name === subject.name) return [];
  const as = owner === undefined ? 'an address outside: the API tells of no running pod that has it' : nameOf(owner);
  return [`to the other end ${name} (${formatIp(ip)}) is ${as}`];
}

function otherNodeNote(source: ResolvedEnd, destination: ResolvedEnd): readonly string[] {
  if (source.kind !== 'host' || source.subject !== undefined || destination.endpoint !== undefined) return [];
  const node = destination.subject?.node ?? '';
  return [
    `if ${source.name} is the node of ${destination.name}${node === '' ? '' : ` (${node})`}, it is allowed: ask on that node`,
  ];
}
