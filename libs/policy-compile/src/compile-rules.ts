/** Allow list to rules and what their sets hold. Rules are told with contents in place of set ids: naming them is not pure. */
import type { PortMatch } from '@canal/rules-ast';
import { rangesOf } from './address-ranges.ts';
import type { Allowance, AllowList, PortNumbers } from './allow-list.ts';
import type { BlockPeer, PodPeer } from './allow-peer.ts';
import { type ChainCost, chainCost, isWithinLimits } from './chain-limits.ts';
import type { SetContent } from './set-content.ts';

export interface CompiledRule {
  readonly peer: CompiledPeer;
  readonly ports: 'any' | readonly PortMatch[];
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

function* anyPeerRules(list: AllowList): Iterable<CompiledRule> {
  for (const { peer, ports } of list) {
    if (peer.type === 'any' && ports.length > 0) yield { peer: { type: 'any' }, ports };
  }
}

/** What the blocks with equal ports cover together, exceptions taken out of each alone, is one set. */
function* blockRules(list: AllowList): Iterable<CompiledRule> {
  for (const { ports, peers } of byPorts(list, (peer): peer is BlockPeer => peer.type === 'block')) {
    const ranges = rangesOf(peers);
    if (ranges.length > 0) yield { peer: { type: 'set', content: { kind: 'blocks', ranges } }, ports };
  }
}

/** Rules over pods: of selectors, and of any peer's or block's ports by name, which are declared by pods. */
function* peerRules(list: AllowList): Iterable<CompiledRule> {
  for (const { peer, ports, names } of list) {
    if (peer.type === 'pods' && ports.length > 0) yield podsRule([peer], ports);
    if (names.length > 0) yield* exactRules([{ peer, ports: [], names }]);
  }
}

/** The same in one rule for peers with equal ports and one for ports by name. */
function* portsRules(list: AllowList): Iterable<CompiledRule> {
  for (const { ports, peers } of byPorts(list, isPods)) yield podsRule(peers, ports);
  yield* exactRules(list.filter(({ names }) => names.length > 0).map((named) => ({ ...named, ports: [] })));
}

/** The same again; ports are members where they are few. */
function* memberRules(list: AllowList): Iterable<CompiledRule> {
  const expanded = new Set(list.filter(({ peer, ports }) => isPods(peer) && portCount(ports) <= mostPerPod(peer)));
  const rest = list.filter((allowance) => !expanded.has(allowance));
  for (const { ports, peers } of byPorts(rest, isPods)) yield podsRule(peers, ports);
  const exact = list.map((allowance) => (expanded.has(allowance) ? allowance : { ...allowance, ports: [] }));
  yield* exactRules(exact.filter(({ ports, names }) => ports.length > 0 || names.length > 0));
}

interface PortsGroup<T> {
  readonly ports: PortNumbers['ports'];
  readonly peers: readonly T[];
}

/** For each list of ports as written the peers that have it; peers in the order of the list. */
function byPorts<T extends Allowance['peer']>(
  list: AllowList,
  isWanted: (peer: Allowance['peer']) => peer is T,
): Iterable<PortsGroup<T>> {
  const groups = new Map<string, { readonly ports: PortNumbers['ports']; readonly peers: T[] }>();
  for (const { peer, written } of list) {
    if (!isWanted(peer)) continue;
    for (const { ports, text } of written) {
      const group = groups.get(text);
      if (group === undefined) groups.set(text, { ports, peers: [peer] });
      else group.peers.push(peer);
    }
  }
  return groups.values();
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

function podsRule(peers: readonly PodPeer[], ports: CompiledRule['ports']): CompiledRule {
  return { peer: { type: 'set', content: { kind: 'addresses', peers } }, ports };
}

function exactRules(allowances: readonly Allowance[]): readonly CompiledRule[] {
  if (allowances.length === 0) return [];
  return [{ peer: { type: 'set', content: { kind: 'address-ports', allowances } }, ports: 'any' }];
}

/** Undefined when there are more. */
function atMost<T>(items: Iterable<T>, most: number): readonly T[] | undefined {
  const found: T[] = [];
  for (const item of items) if (found.push(item) > most) return undefined;
  return found;
}
