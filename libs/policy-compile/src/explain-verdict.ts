/** What policy says of a packet at one of its ends, and which rule says it. */
import {
  type NetworkPolicy,
  type PolicyPeer,
  type PolicyPod,
  type PolicyPort,
  type PolicyRule,
  selects,
} from '@canal/model';
import { type Direction, PROTOCOL_NUMBER, type RulePacket } from '@canal/rules-ast';
import { cidrContains, type Ip } from 'net-types';
import type { ChainCost } from './chain-limits.ts';
import type { ResolvedEnd } from './explain-ends.ts';
import type { EndVerdict, RuleMiss } from './explanation.ts';
import type { PolicyModel } from './policy-model.ts';

/** An EndVerdict with the objects that its names stand for. */
export interface JudgedEnd {
  readonly direction: Direction;
  readonly verdict: EndVerdict['verdict'];
  readonly reason: EndVerdict['reason'];
  readonly policies: readonly NetworkPolicy[];
  readonly allowance?: RuleAllowance;
  readonly misses: readonly MissedRule[];
  readonly excess?: ChainCost;
}

/** The first rule that allows, and the items of its lists that do. */
export interface RuleAllowance {
  readonly policy: NetworkPolicy;
  readonly rule: PolicyRule;
  readonly peer: 'any' | PolicyPeer;
  readonly port: 'any' | PolicyPort;
}

export interface MissedRule {
  readonly policy: NetworkPolicy;
  readonly rule: PolicyRule;
  readonly missed: RuleMiss['missed'];
}

/** `at` is a pod: the source of egress, the destination of ingress. `other` is the packet's other end. */
export function judgeEnd(
  model: PolicyModel,
  direction: Direction,
  at: ResolvedEnd,
  other: ResolvedEnd,
  packet: RulePacket,
): JudgedEnd {
  const decided = (verdict: JudgedEnd['verdict'], reason: JudgedEnd['reason']): JudgedEnd => ({
    direction,
    verdict,
    reason,
    policies: [],
    misses: [],
  });
  if (isSamePod(at, other)) return decided('allow', 'same-pod');
  if (direction === 'ingress' && isOwnNode(model, at, other)) return decided('allow', 'own-node');
  const { subject, endpoint } = at;
  if (subject === undefined) return decided('deny', 'unknown-pod');
  if (endpoint?.addresses.some((ip) => model.endpointOwning(ip)?.key !== endpoint.key) === true) {
    return decided('deny', 'address-taken');
  }
  const policies = model.policiesSelecting(subject, direction);
  if (policies.length === 0) return decided('allow', 'not-isolated');
  const excess = model.excess(subject, direction, endpoint);
  if (excess !== undefined) return { ...decided('deny', 'too-many-rules'), policies, excess };

  // Named ports are the destination's: of ingress the judged pod's, of egress those of whoever has the address.
  const declares = direction === 'ingress' ? subject : model.podOwning(packet.destination);
  const misses: MissedRule[] = [];
  for (const policy of policies) {
    for (const rule of policy[direction] ?? []) {
      const peer = matchingPeer(model, policy, rule, other.ip);
      const port = matchingPort(rule, packet, declares);
      if (peer !== undefined && port !== undefined) {
        const allowance = { policy, rule, peer, port };
        return { direction, verdict: 'allow', reason: 'allowed-by-rule', policies, allowance, misses: [] };
      }
      misses.push({
        policy,
        rule,
        missed: peer !== undefined ? 'port' : port !== undefined ? 'peer' : 'peer-and-port',
      });
    }
  }
  return { direction, verdict: 'deny', reason: 'no-rule-allows', policies, misses };
}

function isSamePod(a: ResolvedEnd, b: ResolvedEnd): boolean {
  if (a.kind !== 'pod' || b.kind !== 'pod') return false;
  if (a.endpoint !== undefined || b.endpoint !== undefined) return a.endpoint?.key === b.endpoint?.key;
  return a.name === b.name && a.subject?.uid === b.subject?.uid;
}

/** This node's addresses are known; of other nodes only which hostNetwork pod runs beside which pod. */
function isOwnNode(model: PolicyModel, at: ResolvedEnd, other: ResolvedEnd): boolean {
  if (at.endpoint !== undefined && model.nodeOf(other.ip) === 'own') return true;
  const node = at.subject?.node ?? '';
  return other.kind === 'host' && node !== '' && other.subject?.node === node;
}

/** The first item that matches. */
function matchingPeer(
  model: PolicyModel,
  policy: NetworkPolicy,
  { peers }: PolicyRule,
  ip: Ip,
): 'any' | PolicyPeer | undefined {
  if (peers === 'any') return 'any';
  const pod = model.podOwning(ip);
  return peers.find((peer) => {
    if (peer.type === 'block')
      return cidrContains(peer.cidr, ip) && !peer.except.some((block) => cidrContains(block, ip));
    if (pod === undefined || !selects(peer.pods, pod.labels)) return false;
    if (peer.namespaces === 'own') return pod.namespace === policy.namespace;
    const namespace = model.namespace(pod.namespace);
    return namespace !== undefined && selects(peer.namespaces, namespace.labels);
  });
}

/** The first item that matches. */
function matchingPort(
  { ports }: PolicyRule,
  { protocol, destinationPort }: RulePacket,
  declares: PolicyPod | undefined,
): 'any' | PolicyPort | undefined {
  if (ports === 'any') return 'any';
  return ports.find((item) => {
    if (PROTOCOL_NUMBER[item.protocol] !== protocol) return false;
    const { port } = item;
    if (port === 'all') return true;
    if (destinationPort === undefined) return false;
    if ('first' in port) return destinationPort >= port.first && destinationPort <= port.last;
    return (declares?.ports ?? []).some(
      (named) => named.name === port.name && named.protocol === item.protocol && named.port === destinationPort,
    );
  });
}
