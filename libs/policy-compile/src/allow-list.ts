/**
 * What the policies that select an endpoint allow it together in one direction: peers with their ports, each peer once.
 * Policies add to each other and their order means nothing, so equal lists come of equal sets of policies.
 */
import type { NamedPort, NetworkPolicy, PolicyRule } from '@canal/model';
import type { Direction, PortMatch, RuleProtocol } from '@canal/rules-ast';
import { type AllowPeer, allowPeerOf, ANY_PEER } from './allow-peer.ts';
import { allPortsOf, mergeSpans, type PortSpan, portsText } from './port-spans.ts';

/** In order of the peers' texts. */
export type AllowList = readonly WrittenAllowance[];

export interface Allowance {
  readonly peer: AllowPeer;
  /** `[]`: by name alone. */
  readonly ports: 'any' | readonly PortMatch[];
  /** Egress: ports that each destination pod gives a number of its own. In order. */
  readonly names: readonly PortName[];
}

interface WrittenAllowance extends Allowance {
  /**
   * `ports` as rules write them, each list once. However rules combine peers and ports: all lists that there are have no
   * more ports together than the rules.
   */
  readonly written: readonly PortNumbers[];
}

/** Ports of a rule that have numbers. */
export interface PortNumbers {
  readonly ports: 'any' | readonly PortMatch[];
  /** Equal texts match the same packets. */
  readonly text: string;
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
    for (const { peers, numbers, names } of readRules(policy, direction)) {
      const [all, left] =
        direction === 'egress' || numbers === 'any' || names.length === 0
          ? [numbers, names]
          : [numbersWith(numbers, names, subjectPorts), []];
      for (const peer of peers) add(gathered, peer, all, left);
    }
  }
  if (gathered.get(ANY_PEER.text)?.any === true) {
    return [{ peer: ANY_PEER, ports: 'any', names: [], written: [ANY_PORTS] }];
  }
  return [...gathered.values()].sort((a, b) => (a.peer.text < b.peer.text ? -1 : 1)).flatMap(finish);
}

export function allowanceText({ peer, ports, names }: Allowance): string {
  return `${peer.text} ports ${portsText(ports)} names ${names.map(portNameText).join(',')}`;
}

export function portNameText({ protocol, name }: PortName): string {
  return `${protocol}:${name}`;
}

/** Most peers have one list of ports. */
interface Gathered {
  readonly peer: AllowPeer;
  any: boolean;
  numbers: Numbers | undefined;
  /** Other lists, by their texts. */
  others: Map<string, Numbers> | undefined;
  names: Map<string, PortName> | undefined;
}

/** Not none. */
interface Numbers extends PortNumbers {
  readonly ports: readonly PortMatch[];
}

const ANY_PORTS: PortNumbers = { ports: 'any', text: portsText('any') };

interface ReadRule {
  readonly peers: readonly AllowPeer[];
  /** Undefined: by name alone. */
  readonly numbers: 'any' | Numbers | undefined;
  readonly names: readonly PortName[];
}

type ReadPolicy = Partial<Record<Direction, readonly ReadRule[]>>;

/** What a policy says does not change, and it is asked whenever another one comes to the same pods. */
const READ = new WeakMap<NetworkPolicy, ReadPolicy>();

function readRules(policy: NetworkPolicy, direction: Direction): readonly ReadRule[] {
  let read = READ.get(policy);
  if (read === undefined) READ.set(policy, (read = {}));
  return (read[direction] ??= (policy[direction] ?? []).map((rule) => readRule(rule, policy.namespace)));
}

function readRule(rule: PolicyRule, namespace: string): ReadRule {
  const peers =
    rule.peers === 'any'
      ? [ANY_PEER]
      : rule.peers.map((peer) => allowPeerOf(peer, namespace)).filter((peer) => peer !== undefined);
  if (rule.ports === 'any') return { peers, numbers: 'any', names: [] };
  const spans: PortSpan[] = [];
  const names: PortName[] = [];
  for (const { protocol, port } of rule.ports) {
    if (port === 'all') spans.push(allPortsOf(protocol));
    else if ('first' in port) spans.push({ protocol, first: port.first, last: port.last });
    else names.push({ protocol, name: port.name });
  }
  return { peers, numbers: numbersOf(mergeSpans(spans)), names };
}

function numbersOf(ports: readonly PortMatch[]): Numbers | undefined {
  return ports.length === 0 ? undefined : { ports, text: portsText(ports) };
}

/** A name may be declared by several containers with several numbers: all of them count. */
function numbersWith(
  numbers: Numbers | undefined,
  names: readonly PortName[],
  declared: readonly NamedPort[],
): Numbers | undefined {
  const wanted = new Set(names.map(portNameText));
  const named = declared.filter((port) => wanted.has(portNameText(port)));
  const spans = named.map(({ protocol, port }) => ({ protocol, first: port, last: port }));
  return numbersOf(mergeSpans([...(numbers === undefined ? [] : spansOf(numbers)), ...spans]));
}

function add(
  gathered: Map<string, Gathered>,
  peer: AllowPeer,
  numbers: ReadRule['numbers'],
  names: readonly PortName[],
): void {
  let entry = gathered.get(peer.text);
  if (entry === undefined) {
    entry = { peer, any: false, numbers: undefined, others: undefined, names: undefined };
    gathered.set(peer.text, entry);
  }
  if (numbers === 'any') entry.any = true;
  else if (entry.numbers === undefined) entry.numbers = numbers;
  else if (numbers !== undefined && numbers.text !== entry.numbers.text) {
    (entry.others ??= new Map<string, Numbers>()).set(numbers.text, numbers);
  }
  for (const name of names) {
    (entry.names ??= new Map<string, PortName>()).set(portNameText(name), name);
  }
}

function finish({ peer, any, numbers, others, names }: Gathered): readonly WrittenAllowance[] {
  if (any) return [{ peer, ports: 'any', names: [], written: [ANY_PORTS] }];
  if (numbers === undefined && names === undefined) return [];
  const written = numbers === undefined ? [] : others === undefined ? [numbers] : [numbers, ...others.values()];
  const ports = others === undefined ? (numbers?.ports ?? []) : mergeSpans(written.flatMap(spansOf));
  const inOrder = [...(names ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name);
  return [{ peer, ports, names: inOrder, written }];
}

function spansOf({ ports }: Numbers): readonly PortSpan[] {
  return ports.flatMap(({ protocol, ranges }) =>
    ranges.length === 0 ? [allPortsOf(protocol)] : ranges.map(({ first, last }) => ({ protocol, first, last })),
  );
}
