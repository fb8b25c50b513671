/** What one chain may cost, however many policies come together at a pod. Beyond it the pod is let nothing through. */
import type { NetworkPolicy, PolicyPod, PolicyProblem } from '@canal/model';
import type { Direction } from '@canal/rules-ast';
import type { PodPeer } from './allow-peer.ts';
import type { CompiledRule } from './compile-rules.ts';
import { podPeersOf, setContentText } from './set-content.ts';

export interface ChainCost {
  /**
   * What the first packet of a flow is compared with at the worst: a range of ports, once for each family of addresses.
   * In nf_tables each is a rule, of 6 to 15 ns.
   */
  readonly comparisons: number;
  /** Of addresses, in all blocks: in nf_tables two elements each, of an interval set that one transaction fills. */
  readonly ranges: number;
  /** Of pods, each once: each is asked about pods whose labels nobody had before, 20 ns at the worst. */
  readonly selectors: number;
  /** For nf_tables their cost goes by the square: 0.2 s for these, of two families, but 20 s for eight times as many. */
  readonly sets: number;
}

export const CHAIN_LIMITS: ChainCost = { comparisons: 16_384, ranges: 32_768, selectors: 16_384, sets: 1024 };

const KINDS = ['comparisons', 'ranges', 'selectors', 'sets'] as const satisfies readonly (keyof ChainCost)[];

const FAMILIES = 2;

export function chainCost(rules: readonly CompiledRule[]): ChainCost {
  let comparisons = 0;
  let ranges = 0;
  const selectors = new Set<PodPeer>();
  for (const { peer, ports } of rules) {
    const perFamily = ports === 'any' ? 1 : ports.reduce((sum, match) => sum + Math.max(1, match.ranges.length), 0);
    comparisons += perFamily * (peer.type === 'any' ? 1 : FAMILIES);
    if (peer.type === 'any') continue;
    if (peer.content.kind === 'blocks') ranges += peer.content.ranges.length;
    else for (const selector of podPeersOf(peer.content)) selectors.add(selector);
  }
  return { comparisons, ranges, selectors: selectors.size, sets: setCount(rules) };
}

/** Rules over the same addresses have one set; whether there are such is looked into when it matters. */
function setCount(rules: readonly CompiledRule[]): number {
  const contents = rules.map(({ peer }) => peer).filter((peer) => peer.type === 'set');
  if (contents.length <= CHAIN_LIMITS.sets) return contents.length;
  return new Set(contents.map(({ content }) => setContentText(content))).size;
}

export function isWithinLimits(cost: ChainCost): boolean {
  return KINDS.every((kind) => cost[kind] <= CHAIN_LIMITS[kind]);
}

/**
 * What the policies may cost the subject at the worst, told by counting what they say: much faster than compiling them,
 * and no less than what comes of them when it is as small as it can be.
 */
export function writtenCost(policies: Iterable<NetworkPolicy>, direction: Direction, subject: PolicyPod): ChainCost {
  // A list of ports makes a rule over pods, one over blocks and one for everybody; a name is any of the subject's ports.
  const perPort = 3 * FAMILIES * Math.max(1, subject.ports.length);
  // The one rule for ports by name, of egress.
  let comparisons = FAMILIES;
  let sets = 1;
  let ranges = 0;
  let selectors = 0;
  for (const policy of policies) {
    for (const { peers, ports } of policy[direction] ?? []) {
      comparisons += perPort * (ports === 'any' ? 1 : Math.max(1, ports.length));
      sets += 2;
      for (const peer of peers === 'any' ? [] : peers) {
        if (peer.type === 'block') ranges += 1 + peer.except.length;
        else selectors++;
      }
    }
  }
  return { comparisons, ranges, selectors, sets };
}

const WORDS: Readonly<Record<keyof ChainCost, string>> = {
  comparisons: 'comparisons of ports and addresses a packet',
  ranges: 'ranges of addresses',
  selectors: 'selectors of pods',
  sets: 'lists of ports, each for addresses of its own',
};

/** What is too much of it: `20000 comparisons of ports and addresses a packet, of 16384 at most`. */
export function excessWords(cost: ChainCost): string {
  const excesses = KINDS.filter((kind) => cost[kind] > CHAIN_LIMITS[kind]);
  return excesses.map((kind) => `${cost[kind]} ${WORDS[kind]}, of ${CHAIN_LIMITS[kind]} at most`).join('; ');
}

/** `costs`: of the chains of this node's pods that are shut on account of it. */
export function tooManyRules(direction: Direction, costs: readonly ChainCost[]): readonly PolicyProblem[] {
  const [first] = costs;
  if (first === undefined) return [];
  const message =
    `all policies of the same pods are together ${excessWords(first)}: expected fewer ports, blocks or selectors, or wider ones; ` +
    `${costs.length} pods of this node are isolated, and no policy allows them any ${direction}`;
  return [{ code: 'TooManyRules', field: `spec.${direction}`, message }];
}
