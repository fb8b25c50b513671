/** Allow list to rules and what their sets hold. Rules are told with contents in place of set ids: naming them is not pure. */
import type { CounterId, PortMatch } from '@canal/rules-ast';
import { rangesOf } from './address-ranges.ts';
import type { Allowance, AllowList, PortName, PortNumbers } from './allow-list.ts';
import type { AnyPeer, BlockPeer, PodPeer } from './allow-peer.ts';
import { type ChainCost, chainCost, isWithinLimits } from './chain-limits.ts';
import { countersOf, type Origins } from './rule-counters.ts';
import type { SetContent } from './set-content.ts';

export interface CompiledRule {
  readonly peer: CompiledPeer;
  readonly ports: 'any' | readonly PortMatch[];
  readonly counters: readonly CounterId[];
}

/** As RulePeer: 'set' is of the type that the set's kind says. */
export type CompiledPeer = { readonly type: 'any' } | { readonly type: 'set'; readonly content: SetContent };

export type CompiledChain =
  | { readonly type: 'rules'; readonly rules: readonly CompiledRule[] }
  /** More than a chain may hold: it lets nothing through. */
  | { readonly type: 'too-large'; readonly cost: ChainCost };

/**
 * How many members of an address-ports set a pod may become by one peer; with more, its ports stay with rules. A selector
 * that names no label and no namespace selects most of the cluster's pods.
 */
const MOST_PER_POD = { named: 1024, anybody: 8 } as const;

/** `flattenAbove`: see PolicyEngineOptions. */
export function compileRules(list: AllowList, flattenAbove: number): CompiledChain {
  for (const separate of [separateRules, originRules]) {
    const rules = atMost(separate(list), flattenAbove)?.flatMap((rulesOf) => [...rulesOf()]);
    if (rules !== undefined && isWithinLimits(chainCost(rules))) return { type: 'rules', rules };
  }
  const others = [...anyPeerRules(list), ...blockRules(list)];
  let cost = chainCost([]);
  for (const [overPods, most] of [
    [peerRules, flattenAbove],
    [portsRules, flattenAbove],
    [memberRules, Infinity],
  ] as const) {
    const found = atMost(overPods(list), most);
    if (found === undefined) continue;
    const rules = [...others, ...found];
    cost = chainCost(rules);
    if (isWithinLimits(cost)) return { type: 'rules', rules };
  }
  return { type: 'too-large', cost };
}

/** One rule or none, made when it is known that there are not too many. */
type RuleMaker = () => Iterable<CompiledRule>;

/** What different rules of policies say is not put together, so that each counts alone; nor are their peers. */
function* separateRules(list: AllowList): Iterable<RuleMaker> {
  for (const { ports, origins } of partsOf(list, isAny)) yield () => [anyRule(ports, [origins])];
  for (const part of partsOf(list, isPods)) yield () => [podsRuleOf([part])];
  for (const parts of byOrigins(partsOf(list, isBlock))) yield () => blocksRule(parts);
  for (const allowance of list) if (allowance.names.length > 0) yield* namedRules([allowance]);
}

/** The same with the peers of a rule put together. */
function* originRules(list: AllowList): Iterable<RuleMaker> {
  for (const { ports, origins } of partsOf(list, isAny)) yield () => [anyRule(ports, [origins])];
  for (const parts of byOrigins(partsOf(list, isPods))) yield () => [podsRuleOf(parts)];
  for (const parts of byOrigins(partsOf(list, isBlock))) yield () => blocksRule(parts);
  yield* namedRules(list);
}

/** One for each group of rules of policies that allow ports by name. */
function* namedRules(list: AllowList): Iterable<RuleMaker> {
  const groups = new Map<string, { readonly origins: Origins; readonly named: Map<Allowance, PortName[]> }>();
  for (const allowance of list) {
    for (const [at, name] of allowance.names.entries()) {
      const origins = allowance.namedBy[at] ?? [];
      const key = origins.join(' ');
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = { origins, named: new Map<Allowance, PortName[]>() }));
      const names = group.named.get(allowance);
      if (names === undefined) group.named.set(allowance, [name]);
      else names.push(name);
    }
  }
  for (const { origins, named } of groups.values()) {
    const allowances = Array.from(named, ([{ peer }, names]) => ({ peer, ports: [], names }));
    yield () => exactRules(allowances, [origins]);
  }
}

function* anyPeerRules(list: AllowList): Iterable<CompiledRule> {
  for (const { peer, ports, written } of list) {
    if (peer.type === 'any' && ports.length > 0) yield anyRule(ports, originsOf(written));
  }
}

/** What the blocks with equal ports cover together, exceptions taken out of each alone, is one set. */
function* blockRules(list: AllowList): Iterable<CompiledRule> {
  for (const parts of byPorts(list, isBlock)) yield* blocksRule(parts);
}

/** Rules over pods: of selectors, and of any peer's or block's ports by name, which are declared by pods. */
function* peerRules(list: AllowList): Iterable<CompiledRule> {
  for (const { peer, ports, written, names, namedBy } of list) {
    if (peer.type === 'pods' && ports.length > 0) yield podsRule([peer], ports, originsOf(written));
    if (names.length > 0) yield* exactRules([{ peer, ports: [], names }], namedBy);
  }
}

/** The same in one rule for peers with equal ports and one for ports by name. */
function* portsRules(list: AllowList): Iterable<CompiledRule> {
  for (const parts of byPorts(list, isPods)) yield podsRuleOf(parts);
  const named = list.filter(({ names }) => names.length > 0);
  yield* exactRules(
    named.map((allowance) => ({ ...allowance, ports: [] })),
    named.flatMap(({ namedBy }) => namedBy),
  );
}

/** The same again; ports are members where they are few. */
function* memberRules(list: AllowList): Iterable<CompiledRule> {
  const expanded = new Set(list.filter(({ peer, ports }) => isPods(peer) && portCount(ports) <= mostPerPod(peer)));
  const rest = list.filter((allowance) => !expanded.has(allowance));
  for (const parts of byPorts(rest, isPods)) yield podsRuleOf(parts);
  const exact = list
    .map((allowance) => (expanded.has(allowance) ? allowance : { ...allowance, ports: [], written: [] }))
    .filter(({ ports, names }) => ports.length > 0 || names.length > 0);
  yield* exactRules(
    exact,
    exact.flatMap(({ written, namedBy }) => [...originsOf(written), ...namedBy]),
  );
}

/** A peer with one of its lists of ports. */
interface Part<T> extends PortNumbers {
  readonly peer: T;
  readonly origins: Origins;
}

/** For each list of ports as written the peers that have it; peers in the order of the list. */
function byPorts<T extends Allowance['peer']>(
  list: AllowList,
  isWanted: (peer: Allowance['peer']) => peer is T,
): Iterable<readonly Part<T>[]> {
  return Map.groupBy(partsOf(list, isWanted), ({ text }) => text).values();
}

/** For each list of ports and group of rules of policies that have it, the peers. */
function byOrigins<T>(parts: Iterable<Part<T>>): Iterable<readonly Part<T>[]> {
  return Map.groupBy(parts, ({ text, origins }) => [text, ...origins].join(' ')).values();
}

function* partsOf<T extends Allowance['peer']>(
  list: AllowList,
  isWanted: (peer: Allowance['peer']) => peer is T,
): Iterable<Part<T>> {
  for (const { peer, written } of list) {
    if (isWanted(peer)) for (const { ports, text, origins } of written) yield { peer, ports, text, origins };
  }
}

function isAny(peer: Allowance['peer']): peer is AnyPeer {
  return peer.type === 'any';
}

function isBlock(peer: Allowance['peer']): peer is BlockPeer {
  return peer.type === 'block';
}

function isPods(peer: Allowance['peer']): peer is PodPeer {
  return peer.type === 'pods';
}

function mostPerPod({ namespaces, pods }: PodPeer): number {
  const isNamed = typeof namespaces === 'string' || [...namespaces, ...pods].some(({ operator }) => operator === 'In');
  return isNamed ? MOST_PER_POD.named : MOST_PER_POD.anybody;
}

function portCount(ports: PortNumbers['ports']): number {
  if (ports === 'any' || ports.some(({ ranges }) => ranges.length === 0)) return Infinity;
  return ports.reduce((sum, { ranges }) => ranges.reduce((all, { first, last }) => all + last - first + 1, sum), 0);
}

function anyRule(ports: CompiledRule['ports'], origins: readonly Origins[]): CompiledRule {
  return { peer: { type: 'any' }, ports, counters: countersOf(origins) };
}

/** None when the exceptions leave nothing. */
function* blocksRule(parts: readonly Part<BlockPeer>[]): Iterable<CompiledRule> {
  const ranges = rangesOf(parts.map(({ peer }) => peer));
  if (ranges.length === 0) return;
  const content = { kind: 'blocks', ranges } as const;
  yield { peer: { type: 'set', content }, ports: parts[0]?.ports ?? [], counters: countersOf(originsOf(parts)) };
}

function podsRule(peers: readonly PodPeer[], ports: CompiledRule['ports'], origins: Iterable<Origins>): CompiledRule {
  const content = { kind: 'addresses', peers } as const;
  return { peer: { type: 'set', content }, ports, counters: countersOf(origins) };
}

function podsRuleOf(parts: readonly Part<PodPeer>[]): CompiledRule {
  const peers = parts.map(({ peer }) => peer);
  return podsRule(peers, parts[0]?.ports ?? [], originsOf(parts));
}

function exactRules(allowances: readonly Allowance[], origins: readonly Origins[]): readonly CompiledRule[] {
  if (allowances.length === 0) return [];
  const content = { kind: 'address-ports', allowances } as const;
  return [{ peer: { type: 'set', content }, ports: 'any', counters: countersOf(origins) }];
}

function originsOf(parts: readonly { readonly origins: Origins }[]): readonly Origins[] {
  return parts.map(({ origins }) => origins);
}

/** Undefined when there are more. */
function atMost<T>(items: Iterable<T>, most: number): readonly T[] | undefined {
  const found: T[] = [];
  for (const item of items) if (found.push(item) > most) return undefined;
  return found;
}
