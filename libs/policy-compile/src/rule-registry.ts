/**
 * Chains and sets that endpoints use, under their ids. Equal chains are one, equal sets are one; what nobody uses any
 * more stays until it is swept, so that what is dropped and taken again within one flush has not changed.
 */
import type { AllowRule, Direction, RuleChain, RulePeer, RuleSet } from '@canal/rules-ast';
import type { CompiledPeer, CompiledRule } from './compile-rules.ts';
import { ContentIds } from './content-ids.ts';
import { portsText } from './port-spans.ts';
import { SET_ID_PREFIX, type SetContent, setContentText } from './set-content.ts';

export interface LiveChain {
  readonly chain: RuleChain;
  readonly sets: readonly LiveSet[];
  users: number;
}

export interface LiveSet {
  readonly set: RuleSet;
  readonly content: SetContent;
  users: number;
}

export class RuleRegistry {
  readonly #ids = new ContentIds();
  readonly #chains = new Map<string, LiveChain>();
  readonly #sets = new Map<string, LiveSet>();
  readonly #unusedChains = new Set<LiveChain>();
  readonly #unusedSets = new Set<LiveSet>();

  /** The chain of these rules with one user more. */
  useChain(direction: Direction, compiled: readonly CompiledRule[]): LiveChain {
    const sets = new Set<LiveSet>();
    const setOf = (content: SetContent): string => {
      const live = this.#set(content);
      sets.add(live);
      return live.set.id;
    };
    const rules = compiled
      .map((rule) => ({ peer: nameSets(rule.peer, setOf), ports: rule.ports }))
      .map((rule) => ({ rule, text: ruleText(rule) }))
      .sort((a, b) => (a.text < b.text ? -1 : 1));
    const prefix = direction === 'ingress' ? 'in-' : 'eg-';
    const id = this.#ids.take(prefix, [direction, ...rules.map(({ text }) => text)].join('\n'));
    let live = this.#chains.get(id);
    if (live === undefined) {
      live = { chain: { id, direction, rules: rules.map(({ rule }) => rule) }, sets: [...sets], users: 0 };
      this.#chains.set(id, live);
      for (const set of live.sets) set.users++;
    }
    live.users++;
    return live;
  }

  dropChain(live: LiveChain): void {
    if (--live.users === 0) this.#unusedChains.add(live);
  }

  /** Forgets what is unused, and tells of it. */
  sweep(): { readonly chains: readonly LiveChain[]; readonly sets: readonly LiveSet[] } {
    const chains = [...this.#unusedChains].filter(({ users }) => users === 0);
    this.#unusedChains.clear();
    for (const { chain, sets } of chains) {
      this.#chains.delete(chain.id);
      this.#ids.free(chain.id);
      for (const set of sets) if (--set.users === 0) this.#unusedSets.add(set);
    }
    const sets = [...this.#unusedSets].filter(({ users }) => users === 0);
    this.#unusedSets.clear();
    for (const { set } of sets) {
      this.#sets.delete(set.id);
      this.#ids.free(set.id);
    }
    return { chains, sets };
  }

  chains(): Iterable<LiveChain> {
    return this.#chains.values();
  }

  sets(): Iterable<LiveSet> {
    return this.#sets.values();
  }

  set(id: string): LiveSet | undefined {
    return this.#sets.get(id);
  }

  #set(content: SetContent): LiveSet {
    const id = this.#ids.take(SET_ID_PREFIX[content.kind], setContentText(content));
    let live = this.#sets.get(id);
    if (live === undefined) {
      live = { set: { id, kind: content.kind }, content, users: 0 };
      this.#sets.set(id, live);
    }
    // A chain that was there already has its own use of it; a set of a chain that never comes is swept.
    this.#unusedSets.add(live);
    return live;
  }
}

function nameSets(peer: CompiledPeer, setOf: (content: SetContent) => string): RulePeer {
  if (peer.type === 'any') return peer;
  const set = setOf(peer.content);
  if (peer.content.kind !== 'blocks') return { type: peer.content.kind, set };
  return { type: 'blocks', set, ...(peer.except !== undefined && { except: setOf(peer.except) }) };
}

function ruleText({ peer, ports }: AllowRule): string {
  const parts = peer.type === 'any' ? [] : [peer.set, ...('except' in peer ? [peer.except] : [])];
  return [peer.type, ...parts, portsText(ports)].join(' ');
}
