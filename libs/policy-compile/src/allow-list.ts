/**
 * What the policies that select an endpoint allow it together in one direction: peers with their ports, each peer once.
 * Policies add to each other and their order means nothing, so equal lists come of equal sets of policies.
 */
import type { NamedPort, NetworkPolicy, PolicyRule } from '@canal/model';
import type { CounterId, Direction, PortMatch, RuleProtocol } from '@canal/rules-ast';
import { type AllowPeer, allowPeerOf, ANY_PEER } from './allow-peer.ts';
import { allPortsOf, mergeSpans, type PortSpan, portsText } from './port-spans.ts';
import { addOrigin, type Origins, ruleCounter } from './rule-counters.ts';

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
  readonly written: readonly WrittenPorts[];
  /** Of each of `names`, which rules allow it. */
  readonly namedBy: readonly Origins[];
}

interface WrittenPorts extends PortNumbers {
  readonly origins: Origins;
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
    for (const { peers, numbers, names, counter } of readRules(policy, direction)) {
      const [all, left] =
        direction === 'egress' || numbers === 'any' || names.length === 0
          ? [numbers, names]
          : [numbersWith(numbers, names, subjectPorts), []];
      for (const peer of peers) add(gathered, peer, all, left, counter);
    }
  }
  const anybody = gathered.get(ANY_PEER.text);
  if (anybody?.any !== undefined) return finish(anybody);
  return [...gathered.values()].sort((a, b) => (a.peer.text < b.peer.text ? -1 : 1)).flatMap(finish);
}

/** The rules of a policy with what counts for each, in the order of the list. */
export function countedRules(
  policy: NetworkPolicy,
  direction: Direction,
): readonly { readonly index: number; readonly counter: CounterId }[] {
  return readRules(policy, direction);
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
  /** Rules that allow all ports. */
  any: CounterId[] | undefined;
  numbers: GatheredPorts | undefined;
  /** Other lists, by their texts. */
  others: Map<string, GatheredPorts> | undefined;
  names: Map<string, { readonly name: PortName; readonly origins: CounterId[] }> | undefined;
}

interface GatheredPorts extends Numbers {
  readonly origins: CounterId[];
}

/** Not none. */
interface Numbers extends PortNumbers {
  readonly ports: readonly PortMatch[];
}

const ANY_PORTS: PortNumbers = { ports: 'any', text: portsText('any') };

interface ReadRule {
  /** Place in the list. */
  readonly index: number;
  readonly peers: readonly AllowPeer[];
  /** Undefined: by name alone. */
  readonly numbers: 'any' | Numbers | undefined;
  readonly names: readonly PortName[];
  readonly counter: CounterId;
}

type ReadPolicy = Partial<Record<Direction, readonly ReadRule[]>>;

/** What a policy says does not change, and it is asked whenever another one comes to the same pods. */
const READ = new WeakMap<NetworkPolicy, ReadPolicy>();

function readRules(policy: NetworkPolicy, direction: Direction): readonly ReadRule[] {
  let read = READ.get(policy);
  if (read === undefined) READ.set(policy, (read = {}));
  return (read[direction] ??= (policy[direction] ?? []).map((rule) => readRule(rule, policy, direction)));
}

function readRule(rule: PolicyRule, policy: NetworkPolicy, direction: Direction): ReadRule {
  const peers =
    rule.peers === 'any'
      ? [ANY_PEER]
      : rule.peers.map((peer) => allowPeerOf(peer, policy.namespace)).filter((peer) => peer !== undefined);
  const read = (numbers: ReadRule['numbers'], names: readonly PortName[]): ReadRule => {
    const ports = [numbers === 'any' ? ANY_PORTS.text : numbers?.text, ...names.map(portNameText)];
    const text = JSON.stringify([peers.map((peer) => peer.text), ports]);
    return { index: rule.index, peers, numbers, names, counter: ruleCounter(policy, direction, text) };
  };
  if (rule.ports === 'any') return read('any', []);
  const spans: PortSpan[] = [];
  const names: PortName[] = [];
  for (const { protocol, port } of rule.ports) {
    if (port === 'all') spans.push(allPortsOf(protocol));
    else if ('first' in port) spans.push({ protocol, first: port.first, last: port.last });
    else names.push({ protocol, name: port.name });
  }
  return read(numbersOf(mergeSpans(spans)), names);
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
  counter: CounterId,
): void {
  let entry = gathered.get(peer.text);
  if (entry === undefined) {
    entry = { peer, any: undefined, numbers: undefined, others: undefined, names: undefined };
    gathered.set(peer.text, entry);
  }
  if (numbers === 'any') addOrigin((entry.any ??= []), counter);
  else if (numbers !== undefined) addOrigin(portsOf(entry, numbers).origins, counter);
  for (const name of names) addOrigin(nameOf(entry, name).origins, counter);
}

function portsOf(entry: Gathered, numbers: Numbers): GatheredPorts {
  if (entry.numbers === undefined) return (entry.numbers = { ...numbers, origins: [] });
  if (entry.numbers.text === numbers.text) return entry.numbers;
  const others = (entry.others ??= new Map<string, GatheredPorts>());
  let found = others.get(numbers.text);
  if (found === undefined) others.set(numbers.text, (found = { ...numbers, origins: [] }));
  return found;
}

function nameOf(entry: Gathered, name: PortName): { readonly origins: CounterId[] } {
  const text = portNameText(name);
  const names = (entry.names ??= new Map<string, { name: PortName; origins: CounterId[] }>());
  let found = names.get(text);
  if (found === undefined) names.set(text, (found = { name, origins: [] }));
  return found;
}

function finish({ peer, any, numbers, others, names }: Gathered): readonly WrittenAllowance[] {
  if (any !== undefined) {
    return [{ peer, ports: 'any', names: [], written: [{ ...ANY_PORTS, origins: any }], namedBy: [] }];
  }
  if (numbers === undefined && names === undefined) return [];
  const written = numbers === undefined ? [] : others === undefined ? [numbers] : [numbers, ...others.values()];
  const ports = others === undefined ? (numbers?.ports ?? []) : mergeSpans(written.flatMap(spansOf));
  const inOrder = [...(names ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, named]) => named);
  const namedBy = inOrder.map(({ origins }) => origins);
  return [{ peer, ports, names: inOrder.map(({ name }) => name), written, namedBy }];
}

function spansOf({ ports }: Numbers): readonly PortSpan[] {
  return ports.flatMap(({ protocol, ranges }) =>
    ranges.length === 0 ? [allPortsOf(protocol)] : ranges.map(({ first, last }) => ({ protocol, first, last })),
  );
}
