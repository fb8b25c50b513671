/** Sets of pods' addresses that are in the view, and which of them a change of an address concerns. */
import type { MemberChange, SetId, SetMember } from '@canal/rules-ast';
import type { Ip } from 'net-types';
import { LiveMembers } from './live-members.ts';
import type { AddressFacts, PeerIndex } from './peer-index.ts';
import type { PeerSelector } from './peer-selector.ts';
import { podPeersOf, type SetContent } from './set-content.ts';

type SetEntry =
  | { readonly kind: 'pods'; readonly id: SetId; readonly members: LiveMembers }
  | { readonly kind: 'blocks'; readonly id: SetId; readonly members: readonly SetMember[] };

const NO_CHANGES: ReadonlyMap<SetId, MemberChange> = new Map();

export class LiveSets {
  readonly #entries = new Map<SetId, SetEntry>();
  readonly #bySelector = new Map<PeerSelector, Set<LiveMembers>>();
  readonly #ofAll = new Set<LiveMembers>();
  readonly #ids = new Map<LiveMembers, SetId>();
  readonly #changed = new Set<LiveMembers>();

  add(sets: readonly { readonly id: SetId; readonly content: SetContent }[], index: PeerIndex): void {
    // All selectors at once cost much less than one set after the other.
    const held = index.takeSelectors(sets.flatMap(({ content }) => podPeersOf(content)));
    for (const { id, content } of sets) this.#add(id, content, index);
    index.dropSelectors(held);
  }

  remove(ids: readonly SetId[], index: PeerIndex): void {
    index.dropSelectors(ids.flatMap((id) => this.#remove(id)));
  }

  #add(id: SetId, content: SetContent, index: PeerIndex): void {
    if (content.kind === 'blocks') {
      const members = content.ranges.map((range): SetMember => ({ kind: 'blocks', ...range }));
      this.#entries.set(id, { kind: 'blocks', id, members });
      return;
    }
    const members = new LiveMembers(content, index);
    this.#entries.set(id, { kind: 'pods', id, members });
    this.#ids.set(members, id);
    if (members.isOfAll) this.#ofAll.add(members);
    for (const selector of members.selectors) {
      const sets = this.#bySelector.get(selector);
      if (sets === undefined) this.#bySelector.set(selector, new Set([members]));
      else sets.add(members);
    }
  }

  /** The selectors that it had taken. */
  #remove(id: SetId): readonly PeerSelector[] {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (entry?.kind !== 'pods') return [];
    const { members } = entry;
    const selectors = [...members.selectors];
    for (const selector of selectors) {
      const sets = this.#bySelector.get(selector);
      sets?.delete(members);
      if (sets?.size === 0) this.#bySelector.delete(selector);
    }
    this.#ofAll.delete(members);
    this.#ids.delete(members);
    this.#changed.delete(members);
    return selectors;
  }

  addressChanged(ip: Ip, before: AddressFacts | undefined, after: AddressFacts | undefined): void {
    if (this.#ids.size === 0) return;
    const samePorts = before?.ports === after?.ports;
    const concerned = new Set<LiveMembers>(samePorts ? [] : this.#ofAll);
    for (const [facts, other] of [
      [before, after],
      [after, before],
    ] as const) {
      for (const selector of facts?.selection.value ?? []) {
        if (samePorts && other?.selection.value.has(selector) === true) continue;
        for (const members of this.#bySelector.get(selector) ?? []) concerned.add(members);
      }
    }
    for (const members of concerned) {
      members.addressChanged(ip, before, after);
      this.#changed.add(members);
    }
  }

  flush(): ReadonlyMap<SetId, MemberChange> {
    if (this.#changed.size === 0) return NO_CHANGES;
    const changes = new Map<SetId, MemberChange>();
    for (const members of this.#changed) {
      const change = members.flush();
      const id = this.#ids.get(members);
      if (change !== undefined && id !== undefined) changes.set(id, change);
    }
    this.#changed.clear();
    return changes;
  }

  members(id: SetId): Iterable<SetMember> {
    const entry = this.#entry(id);
    return entry.kind === 'pods' ? entry.members.flushed() : entry.members;
  }

  memberCount(id: SetId): number {
    const entry = this.#entry(id);
    return entry.kind === 'pods' ? entry.members.flushedCount : entry.members.length;
  }

  #entry(id: SetId): SetEntry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new RangeError(`set ${id} is not in the view, expected one of sets()`);
    return entry;
  }
}
