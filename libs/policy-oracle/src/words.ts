/**
 * NetworkPolicy judged straight from the words of its API (k8s.io/api networking/v1 types.go and the page on network
 * policies; quoted where they decide). Slow and simple on purpose, and shares nothing with the engine: it is what the
 * engine is tested against.
 */
import type { LabelSelector, Labels, NetworkPolicy, PolicyPeer, PolicyPod, PolicyPort, PolicyRule } from '@canal/model';
import type { Direction, RulePacket } from '@canal/rules-ast';
import type { Cidr, Ip } from 'net-types';
import type { PolicyCluster } from './cluster.ts';
import { podAt, subjectAt } from './whose-address.ts';

export interface WordsVerdict {
  /** Both must allow: "If either side does not allow the connection, the connection will not happen." */
  readonly verdict: 'allow' | 'deny';
  /** Absent when the source is no endpoint of the node. */
  readonly egress?: 'allow' | 'deny';
  /** Absent when the destination is no endpoint of the node. */
  readonly ingress?: 'allow' | 'deny';
}

/** Judges the ends that are endpoints of the node that is looked at; other nodes judge theirs. */
export function judgeByTheWords(cluster: PolicyCluster, packet: RulePacket): WordsVerdict {
  const source = subjectAt(cluster, packet.source);
  const destination = subjectAt(cluster, packet.destination);
  const toItself = source !== undefined && source.endpoint.key === destination?.endpoint.key;
  // "… OR if the traffic source is the pod's local node"
  const fromOwnNode = cluster.ownNodeAddresses.includes(packet.source);

  const egress = source && (toItself || lets(cluster, source.pod, 'egress', packet) ? 'allow' : 'deny');
  const ingress =
    destination && (toItself || fromOwnNode || lets(cluster, destination.pod, 'ingress', packet) ? 'allow' : 'deny');
  return {
    verdict: egress === 'deny' || ingress === 'deny' ? 'deny' : 'allow',
    ...(egress && { egress }),
    ...(ingress && { ingress }),
  };
}

/** `pod` undefined: not known from the API, so nobody can say that anything is allowed. */
function lets(cluster: PolicyCluster, pod: PolicyPod | undefined, direction: Direction, packet: RulePacket): boolean {
  if (pod === undefined) return false;
  const policies = cluster.policies.filter((policy) => applies(policy, pod, direction));
  // "Traffic is allowed to a pod if there are no NetworkPolicies selecting the pod"
  if (policies.length === 0) return true;
  // "… OR if the traffic matches at least one ingress rule across all of the NetworkPolicy objects"
  return policies.some((policy) =>
    (policy[direction] ?? []).some(
      (rule) =>
        matchesPeers(cluster, policy, rule, direction === 'ingress' ? packet.source : packet.destination) &&
        matchesPorts(rule, packet, direction === 'ingress' ? pod : podAt(cluster, packet.destination)),
    ),
  );
}

function applies(policy: NetworkPolicy, pod: PolicyPod, direction: Direction): boolean {
  if (pod.hostNetwork) return false;
  return policy.namespace === pod.namespace && policy[direction] !== undefined && has(pod.labels, policy.podSelector);
}

/** "Items in this list are combined using a logical OR operation." Empty or missing: "all sources". */
function matchesPeers(cluster: PolicyCluster, policy: NetworkPolicy, rule: PolicyRule, address: Ip): boolean {
  if (rule.peers === 'any') return true;
  return rule.peers.some((peer) => matchesPeer(cluster, policy, peer, address));
}

function matchesPeer(cluster: PolicyCluster, policy: NetworkPolicy, peer: PolicyPeer, address: Ip): boolean {
  if (peer.type === 'block') {
    // "except is a slice of CIDRs that should not be included within an IPBlock"
    return isIn(address, peer.cidr) && !peer.except.some((block) => isIn(address, block));
  }
  const pod = podAt(cluster, address);
  if (pod === undefined || !has(pod.labels, peer.pods)) return false;
  // "Otherwise it selects the pods matching podSelector in the policy's own namespace."
  if (peer.namespaces === 'own') return pod.namespace === policy.namespace;
  const namespace = cluster.namespaces.find(({ name }) => name === pod.namespace);
  return namespace !== undefined && has(namespace.labels, peer.namespaces);
}

/** "If this field is empty or missing, this rule matches all ports (traffic not restricted by port)." */
function matchesPorts(rule: PolicyRule, packet: RulePacket, destination: PolicyPod | undefined): boolean {
  if (rule.ports === 'any') return true;
  return rule.ports.some((port) => matchesPort(port, packet, destination));
}

/** "If present, only traffic on the specified protocol AND port will be matched." */
function matchesPort({ protocol, port }: PolicyPort, packet: RulePacket, destination: PolicyPod | undefined): boolean {
  const number = packet.destinationPort;
  if (packet.protocol !== { TCP: 6, UDP: 17, SCTP: 132 }[protocol]) return false;
  // "If this field is not provided, this matches all port names and numbers."
  if (port === 'all') return true;
  if (number === undefined) return false;
  // "… a numerical or named port on a pod"
  if ('name' in port) {
    const named = destination?.ports ?? [];
    return named.some((it) => it.name === port.name && it.protocol === protocol && it.port === number);
  }
  // "… the range of ports from port to endPort if set, inclusive, should be allowed"
  return number >= port.first && number <= port.last;
}

/** "The result of matchLabels and matchExpressions are ANDed." */
function has(labels: Labels, selector: LabelSelector): boolean {
  const owned = new Map(Object.entries(labels));
  return !selector.some((requirement) => {
    const value = owned.get(requirement.key);
    if (!('values' in requirement)) return (requirement.operator === 'Exists') === (value === undefined);
    const isOneOf = value !== undefined && requirement.values.some((wanted) => wanted === value);
    return requirement.operator === 'In' ? !isOneOf : isOneOf;
  });
}

function isIn(address: Ip, block: Cidr): boolean {
  if (typeof address !== typeof block.ip) return false;
  const hostBits = BigInt((typeof address === 'number' ? 32 : 128) - block.prefixLen);
  return BigInt(address) >> hostBits === BigInt(block.ip) >> hostBits;
}
