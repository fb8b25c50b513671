/** Rules as people would say them. */
import type { LabelRequirement, LabelSelector, PolicyPeer, PolicyPort } from '@canal/model';
import type { Direction } from '@canal/rules-ast';
import { formatCidr } from 'net-types';

/** More items than this of one list are counted. */
const MAX_ITEMS = 4;
/** The label that every namespace has, with its name. */
const NAMESPACE_NAME = 'kubernetes.io/metadata.name';

/** `from pods app=api in this namespace, or from 10.0.0.0/8 except 10.1.0.0/16` */
export function peersWords(direction: Direction, peers: 'any' | readonly PolicyPeer[]): string {
  const preposition = direction === 'ingress' ? 'from' : 'to';
  if (peers === 'any') return `${preposition} anywhere`;
  if (peers.length === 0) return `${preposition} nobody`;
  return listed(peers, ' or ', (peer) => `${preposition} ${peerWords(peer)}`);
}

/** `TCP 80, TCP http or every UDP port` */
export function portsWords(ports: 'any' | readonly PolicyPort[]): string {
  if (ports === 'any') return 'every port and protocol';
  return ports.length === 0 ? 'no port' : listed(ports, ', ', portWords);
}

function peerWords(peer: PolicyPeer): string {
  if (peer.type === 'block') {
    const except = peer.except.length === 0 ? '' : ` except ${listed(peer.except, ', ', formatCidr)}`;
    return `${formatCidr(peer.cidr)}${except}`;
  }
  const pods = peer.pods.length === 0 ? 'all pods' : `pods ${selectorWords(peer.pods)}`;
  return `${pods} in ${namespacesWords(peer.namespaces)}`;
}

function namespacesWords(namespaces: 'own' | LabelSelector): string {
  if (namespaces === 'own') return 'this namespace';
  const [first, ...rest] = namespaces;
  if (first === undefined) return 'all namespaces';
  if (rest.length === 0 && first.key === NAMESPACE_NAME && first.operator === 'In' && first.values.length === 1) {
    return `namespace ${first.values.join()}`;
  }
  return `namespaces ${selectorWords(namespaces)}`;
}

function selectorWords(selector: LabelSelector): string {
  return listed(selector, ' and ', requirementWords);
}

function requirementWords(requirement: LabelRequirement): string {
  const { key } = requirement;
  switch (requirement.operator) {
    case 'Exists':
      return `with label ${key}`;
    case 'DoesNotExist':
      return `without label ${key}`;
    case 'In':
      return requirement.values.length === 1
        ? `${key}=${requirement.values.join()}`
        : `${key} in (${listed(requirement.values, ', ', String)})`;
    case 'NotIn':
      return `${key} not in (${listed(requirement.values, ', ', String)})`;
  }
}

function portWords({ protocol, port }: PolicyPort): string {
  if (port === 'all') return `every ${protocol} port`;
  if ('name' in port) return `${protocol} ${port.name}`;
  return port.first === port.last ? `${protocol} ${port.first}` : `${protocol} ${port.first}-${port.last}`;
}

function listed<T>(items: readonly T[], separator: string, words: (item: T) => string): string {
  const shown = items.slice(0, MAX_ITEMS).map(words).join(separator);
  return items.length > MAX_ITEMS ? `${shown} and ${items.length - MAX_ITEMS} more` : shown;
}
