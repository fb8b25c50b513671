/**
 * What the policies that select an endpoint allow it together in one direction: peers with their ports, each peer once.
 * Policies add to each other and their order means nothing, so equal lists come of equal sets of policies.
 */
import type { NamedPort, NetworkPolicy, PolicyRule } from '@canal/model';
import type { Direction, PortMatch, RuleProtocol } from '@canal/rules-ast';
import { type AllowPeer, allowPeerOf, allowPeerText, ANY_PEER } from './allow-peer.ts';
import { allPortsOf, mergeSpans, type PortSpan, portsText } from './port-spans.ts';

/** In order of the peers' texts. */
export type AllowList = readonly Allowance[];

export interface Allowance {
  readonly peer: AllowPeer;
  /** `[]`: by name alone. */
  readonly ports: 'any' | readonly PortMatch[];
  /** Egress: ports that each destination pod gives a number of its own. In order. */
  readonly names: readonly PortName[];
}

export interface PortName {
  readonly protocol: RuleProtocol;
  readonly name: string;
}

export function compileAllowList(
  direction: Direction,
  policies: Iterable<NetworkPolicy>,
  subjectPorts: readonly NamedPort[],
): AllowList {
  const gathered = new Map<string, Gathered>();
  for (const policy of policies) {
    for (const rule of (direction === 'ingress' ? policy.ingress : policy.egress) ?? []) {
      const ports = gatherPorts(rule, direction, subjectPorts);
      for (const peer of peersOf(rule, policy.namespace)) add(gathered, peer, ports);
    }
  }
  const unrestricted = gathered.get(allowPeerText(ANY_PEER));
  if (unrestricted?.any === true) return [{ peer: ANY_PEER, ports: 'any', names: [] }];
  return [...gathered]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entry]) => finish(entry))
    .filter(({ ports, names }) => ports === 'any' || ports.length > 0 || names.length > 0);
}

export function allowanceText({ peer, ports, names }: Allowance): string {
  return `${allowPeerText(peer)} ports ${portsText(ports)} names ${namesText(names)}`;
}

function namesText(names: readonly PortName[]): string {
  return names.map(({ protocol, name }) => `${protocol}:${name}`).join(',');
}

interface Gathered {
  readonly peer: AllowPeer;
  any: boolean;
  readonly spans: PortSpan[];
  readonly names: Map<string, PortName>;
}

type Ports = 'any' | { readonly spans: readonly PortSpan[]; readonly names: readonly PortName[] };

function gatherPorts(rule: PolicyRule, direction: Direction, subjectPorts: readonly NamedPort[]): Ports {
  if (rule.ports === 'any') return 'any';
  const spans: PortSpan[] = [];
  const names: PortName[] = [];
  for (const { protocol, port } of rule.ports) {
    if (port === 'all') spans.push(allPortsOf(protocol));
    else if ('first' in port) spans.push({ protocol, first: port.first, last: port.last });
    else if (direction === 'egress') names.push({ protocol, name: port.name });
    else spans.push(...numbersOf({ protocol, name: port.name }, subjectPorts));
  }
  return { spans, names };
}

/** A name may be declared by several containers with several numbers: all of them count. */
function numbersOf({ protocol, name }: PortName, ports: readonly NamedPort[]): PortSpan[] {
  return ports
    .filter((port) => port.name === name && port.protocol === protocol)
    .map(({ port }) => ({ protocol, first: port, last: port }));
}

function peersOf(rule: PolicyRule, namespace: string): readonly AllowPeer[] {
  if (rule.peers === 'any') return [ANY_PEER];
  return rule.peers.map((peer) => allowPeerOf(peer, namespace)).filter((peer) => peer !== undefined);
}

function add(gathered: Map<string, Gathered>, peer: AllowPeer, ports: Ports): void {
  const text = allowPeerText(peer);
  let entry = gathered.get(text);
  if (entry === undefined) gathered.set(text, (entry = { peer, any: false, spans: [], names: new Map() }));
  if (ports === 'any') {
    entry.any = true;
    return;
  }
  entry.spans.push(...ports.spans);
  for (const name of ports.names) entry.names.set(`${name.protocol}:${name.name}`, name);
}

function finish({ peer, any, spans, names }: Gathered): Allowance {
  if (any) return { peer, ports: 'any', names: [] };
  const inOrder = [...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name);
  return { peer, ports: mergeSpans(spans), names: inOrder };
}
