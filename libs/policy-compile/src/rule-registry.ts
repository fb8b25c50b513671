/**
 * Chains and sets that endpoints use, under their ids. Equal chains are one, equal sets are one; what nobody uses any
 * more stays until it is swept, so that what is dropped and taken again within one flush has not changed.
 */
import type { AllowRule, CounterId, Direction, RuleChain, RulePeer, RuleSet } from '@canal/rules-ast';
import type { CompiledPeer, CompiledRule } from './compile-rules.ts';
import { ContentIds } from './content-ids.ts';
import { portsText } from './port-spans.ts';
import { SET_ID_PREFIX, type SetContent, setContentText } from './set-content.ts';

export interface LiveChain {
  readonly chain: RuleChain;
  readonly sets: readonly LiveSet[];
  users: number;
  swept: boolean;
}

interface LiveSet {
  readonly set: RuleSet;
  readonly content: SetContent;
  users: number;
  swept: boolean;
}

/** Since the sweep before. What came and went in between is in neither. */
interface Swept {
  readonly newChains: readonly LiveChain[];
  readonly newSets: readonly LiveSet[];
  readonly removedChains: readonly LiveChain[];
  readonly removedSets: readonly LiveSet[];
}

export class RuleRegistry {
  readonly #ids = new ContentIds();
  readonly #chains = new Map<string, LiveChain>();
  readonly #sets = new Map<string, LiveSet>();
  // To look at when sweeping: what is new or has lost its last user.
  #chainsToSweep = new Set<LiveChain>();
  #setsToSweep = new Set<LiveSet>();

  /** The chain of these rules, which counts in `denied` what they do not allow; one that nobody uses goes with the next sweep. */
  chain(direction: Direction, compiled: readonly CompiledRule[], denied: readonly CounterId[]): LiveChain {
    const sets = new Set<LiveSet>();
    const setOf = (content: SetContent): string => {
      const live = this.#set(content);
      sets.add(live);
      return live.set.id;
    };
    const rules = compiled
      .map(({ peer, ports, counters }): AllowRule => ({
        peer: nameSets(peer, setOf),
        ports,
        ...(counters.length > 0 && { counters }),
      }))
      .map((rule) => ({ rule, text: ruleText(rule) }))
      .sort((a, b) => (a.text < b.text ? -1 : 1));
    const prefix = direction === 'ingress' ? 'in-' : 'eg-';
    const id = this.#ids.take(prefix, [direction, ...rules.map(({ text }) => text), ...denied].join('\n'));
    let live = this.#chains.get(id);
    if (live === undefined) {
      live = {
        chain: { id, direction, rules: rules.map(({ rule }) => rule), ...(denied.length > 0 && { denied }) },
        sets: [...sets],
        users: 0,
        swept: false,
      };
      this.#chains.set(id, live);
      this.#chainsToSweep.add(live);
      for (const set of live.sets) set.users++;
    }
    return live;
  }

  use(live: LiveChain): LiveChain {
    live.users++;
    return live;
  }

  drop(live: LiveChain): void {
    if (--live.users === 0) this.#chainsToSweep.add(live);
  }

  sweep(): Swept {
    const chains = split(this.#chainsToSweep);
    this.#chainsToSweep = new Set();
    for (const { chain, sets } of chains.unused) {
      this.#chains.delete(chain.id);
      this.#ids.free(chain.id);
      for (const set of sets) if (--set.users === 0) this.#setsToSweep.add(set);
    }
    const sets = split(this.#setsToSweep);
    this.#setsToSweep = new Set();
    for (const { set } of sets.unused) {
      this.#sets.delete(set.id);
      this.#ids.free(set.id);
    }
    return { newChains: chains.added, newSets: sets.added, removedChains: chains.removed, removedSets: sets.removed };
  }

  #set(content: SetContent): LiveSet {
    const id = this.#ids.take(SET_ID_PREFIX[content.kind], setContentText(content));
    let live = this.#sets.get(id);
    if (live === undefined) {
      live = { set: { id, kind: content.kind }, content, users: 0, swept: false };
      this.#sets.set(id, live);
      this.#setsToSweep.add(live);
    }
    return live;
  }
}

function split<T extends { users: number; swept: boolean }>(
  candidates: Iterable<T>,
): { readonly added: T[]; readonly unused: T[]; readonly removed: T[] } {
  const added: T[] = [];
  const unused: T[] = [];
  for (const live of candidates) {
    if (live.users === 0) unused.push(live);
    else if (!live.swept) added.push(live);
  }
  const removed = unused.filter(({ swept }) => swept);
  for (const live of added) live.swept = true;
  return { added, unused, removed };
}

function nameSets(peer: CompiledPeer, setOf: (content: SetContent) => string): RulePeer {
  return peer.type === 'any' ? peer : { type: peer.content.kind, set: setOf(peer.content) };
}

function ruleText({ peer, ports, counters = [] }: AllowRule): string {
  return [peer.type, ...('set' in peer ? [peer.set] : []), portsText(ports), ...counters].join(' ');
}
