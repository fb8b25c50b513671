/**
 * Who is in a set of pods' addresses. Nothing is kept a member: an address's facts say whether it is one. What is kept
 * is what changed since the last flush, so that the set as flushed can be told too.
 */
import type { NamedPort } from '@canal/model';
import type { MemberChange, PortMatch, SetMember } from '@canal/rules-ast';
import type { Ip } from 'net-types';
import { type AddressRange, isIn, rangesOf } from './address-ranges.ts';
import { type Allowance, type PortName, portNameText } from './allow-list.ts';
import { addressPortKey, type MemberKey, memberOf, type PortCode, portCode } from './member-key.ts';
import type { AddressFacts, PeerIndex } from './peer-index.ts';
import type { PeerSelector } from './peer-selector.ts';
import { type AddressesContent, type AddressPortsContent, podPeersOf } from './set-content.ts';

interface PortGrant {
  readonly codes: readonly PortCode[];
  /** Texts of ports that each pod gives a number of its own. */
  readonly names: ReadonlySet<string>;
}

interface AddressGrant {
  readonly where: 'anywhere' | readonly AddressRange[];
  readonly grant: PortGrant;
}

const NO_KEYS: readonly MemberKey[] = [];
const NO_PORTS: PortGrant = { codes: [], names: new Set() };

export class LiveMembers {
  readonly #index: PeerIndex;
  readonly #kind: 'addresses' | 'address-ports';
  /** By selector, what it gives. */
  readonly #bySelector = new Map<PeerSelector, PortGrant>();
  /** Given to whatever pod has an address there. */
  readonly #byAddress: readonly AddressGrant[];
  /** Since the last flush: true came, false went. */
  readonly #pending = new Map<MemberKey, boolean>();
  /** Undefined until somebody asks. */
  #flushedCount: number | undefined;

  /** Takes its selectors, which whoever removes it drops. It is in the view at once, with who is a member now. */
  constructor(content: AddressesContent | AddressPortsContent, index: PeerIndex) {
    this.#index = index;
    this.#kind = content.kind;
    const peers = podPeersOf(content);
    const selectors = new Map(index.takeSelectors(peers).map((selector, at) => [peers[at], selector]));
    if (content.kind === 'addresses') {
      this.#byAddress = [];
      for (const selector of selectors.values()) this.#bySelector.set(selector, NO_PORTS);
      return;
    }
    this.#byAddress = addressGrants(content.allowances);
    for (const { peer, ports, names } of content.allowances) {
      const codes = ports === 'any' ? [] : expand(ports);
      const grant = { codes, names: namesOf(names) };
      if (peer.type === 'pods') this.#bySelector.set(selectors.get(peer) as PeerSelector, grant);
    }
  }

  /** The selectors whose addresses it depends on. */
  get selectors(): Iterable<PeerSelector> {
    return this.#bySelector.keys();
  }

  /** Whether any address of a pod may be a member. */
  get isOfAll(): boolean {
    return this.#byAddress.length > 0;
  }

  get flushedCount(): number {
    if (this.#flushedCount === undefined) {
      let count = 0;
      this.#forEachNow((keys) => (count += keys.length));
      for (const came of this.#pending.values()) count += came ? -1 : 1;
      this.#flushedCount = count;
    }
    return this.#flushedCount;
  }

  addressChanged(ip: Ip, before: AddressFacts | undefined, after: AddressFacts | undefined): void {
    const old = this.#keys(ip, before);
    const now = this.#keys(ip, after);
    if (old.length === 0 && now.length === 0) return;
    const kept = new Set(now);
    for (const key of old) if (!kept.delete(key)) this.#change(key, false);
    for (const key of kept) this.#change(key, true);
  }

  /** What changed since the last flush; undefined: nothing. */
  flush(): MemberChange | undefined {
    if (this.#pending.size === 0) return undefined;
    const added: SetMember[] = [];
    const removed: SetMember[] = [];
    for (const [key, came] of this.#pending) (came ? added : removed).push(memberOf(this.#kind, key));
    if (this.#flushedCount !== undefined) this.#flushedCount += added.length - removed.length;
    this.#pending.clear();
    return { added, removed };
  }

  *flushed(): Iterable<SetMember> {
    const now: MemberKey[] = [];
    this.#forEachNow((keys) => {
      for (const key of keys) if (this.#pending.get(key) !== true) now.push(key);
    });
    for (const [key, came] of this.#pending) if (!came) now.push(key);
    for (const key of now) yield memberOf(this.#kind, key);
  }

  #forEachNow(visit: (keys: readonly MemberKey[]) => void): void {
    const visitAddress = (ip: Ip, facts: AddressFacts): void => visit(this.#keys(ip, facts));
    const visitMember = (ip: Ip): void => visit([ip]);
    if (this.isOfAll) this.#index.forEachAddress(visitAddress);
    else this.#index.forEachSelected(this.#bySelector, this.#kind === 'addresses' ? visitMember : visitAddress);
  }

  #change(key: MemberKey, came: boolean): void {
    if (this.#pending.get(key) === !came) this.#pending.delete(key);
    else this.#pending.set(key, came);
  }

  /** Asks the fewer of the set's selectors and those that select the address. */
  #grantsTo(selecting: ReadonlySet<PeerSelector>): PortGrant[] {
    const grants: PortGrant[] = [];
    if (this.#bySelector.size <= selecting.size) {
      for (const [selector, grant] of this.#bySelector) if (selecting.has(selector)) grants.push(grant);
      return grants;
    }
    for (const selector of selecting) {
      const grant = this.#bySelector.get(selector);
      if (grant !== undefined) grants.push(grant);
    }
    return grants;
  }

  /** The members that an address with these facts is, each once. */
  #keys(ip: Ip, facts: AddressFacts | undefined): readonly MemberKey[] {
    if (facts === undefined) return NO_KEYS;
    if (this.#kind === 'addresses') return facts.selection.value.isDisjointFrom(this.#bySelector) ? NO_KEYS : [ip];
    const grants = this.#grantsTo(facts.selection.value);
    for (const { where, grant } of this.#byAddress) if (where === 'anywhere' || isIn(where, ip)) grants.push(grant);
    if (grants.length === 0) return NO_KEYS;
    const codes = grants.flatMap((grant) => codesOf(grant, facts.ports));
    return Array.from(new Set(codes), (code) => addressPortKey(ip, code));
  }
}

function expand(ports: readonly PortMatch[]): PortCode[] {
  return ports.flatMap(({ protocol, ranges }) =>
    ranges.flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, offset) => portCode(protocol, first + offset)),
    ),
  );
}

function codesOf({ codes, names }: PortGrant, declared: readonly NamedPort[]): readonly PortCode[] {
  if (names.size === 0) return codes;
  const named = declared.filter((port) => names.has(portNameText(port)));
  return [...codes, ...named.map(({ protocol, port }) => portCode(protocol, port))];
}

/** Everybody and blocks have ports by name alone: a rule says the others. */
function addressGrants(allowances: readonly Allowance[]): readonly AddressGrant[] {
  const others = allowances.filter(({ peer }) => peer.type !== 'pods');
  return [...Map.groupBy(others, ({ names }) => JSON.stringify(names)).values()].map((same) => {
    const isAnybody = same.some(({ peer }) => peer.type === 'any');
    const blocks = same.map(({ peer }) => peer).filter((peer) => peer.type === 'block');
    return {
      where: isAnybody ? 'anywhere' : rangesOf(blocks),
      grant: { codes: [], names: namesOf(same[0]?.names ?? []) },
    };
  });
}

function namesOf(names: readonly PortName[]): ReadonlySet<string> {
  return new Set(names.map(portNameText));
}
