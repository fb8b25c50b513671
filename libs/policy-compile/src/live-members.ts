/**
 * Who is in a set of pods' addresses. Nothing is kept a member: an address's facts say whether it is one. What is kept
 * is what changed since the last flush, so that the set as flushed can be told too.
 */
import type { NamedPort } from '@canal/model';
import type { MemberChange, PortMatch, SetMember } from '@canal/rules-ast';
import { cidrContains, type Ip } from 'net-types';
import type { Allowance, PortName } from './allow-list.ts';
import type { BlockPeer } from './allow-peer.ts';
import { addressPortKey, type MemberKey, memberOf, type PortCode, portCode } from './member-key.ts';
import type { AddressFacts, PeerIndex } from './peer-index.ts';
import type { PeerSelector } from './peer-selector.ts';
import type { AddressesContent, AddressPortsContent } from './set-content.ts';

interface PortGrant {
  readonly codes: readonly PortCode[];
  readonly names: readonly PortName[];
}

const NO_KEYS: readonly MemberKey[] = [];

export class LiveMembers {
  readonly #index: PeerIndex;
  readonly #kind: 'addresses' | 'address-ports';
  /** By selector, what it gives. */
  readonly #bySelector = new Map<PeerSelector, PortGrant>();
  /** Given to whatever pod has an address in the block; undefined: to all pods. */
  readonly #byAddress: { readonly block: BlockPeer | undefined; readonly grant: PortGrant }[] = [];
  /** Since the last flush: true came, false went. */
  readonly #pending = new Map<MemberKey, boolean>();
  #flushedCount = 0;

  /** Takes its selectors until it is released. It is in the view at once, with who is a member now. */
  constructor(content: AddressesContent | AddressPortsContent, index: PeerIndex) {
    this.#index = index;
    this.#kind = content.kind;
    if (content.kind === 'addresses') {
      for (const peer of content.peers) this.#bySelector.set(index.takeSelector(peer), { codes: [], names: [] });
    } else {
      for (const allowance of content.allowances) this.#grant(allowance);
    }
    this.#forEachNow((keys) => (this.#flushedCount += keys.length));
  }

  release(): void {
    for (const selector of this.#bySelector.keys()) this.#index.dropSelector(selector);
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
    this.#flushedCount += added.length - removed.length;
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

  #grant({ peer, ports, names }: Allowance): void {
    const grant = { codes: ports === 'any' ? [] : expand(ports), names };
    switch (peer.type) {
      case 'pods':
        this.#bySelector.set(this.#index.takeSelector(peer), grant);
        return;
      case 'block':
        this.#byAddress.push({ block: peer, grant });
        return;
      case 'any':
        this.#byAddress.push({ block: undefined, grant });
    }
  }

  #forEachNow(visit: (keys: readonly MemberKey[]) => void): void {
    const visitAddress = (ip: Ip, facts: AddressFacts): void => visit(this.#keys(ip, facts));
    if (this.isOfAll) this.#index.forEachAddress(visitAddress);
    else this.#index.forEachSelected([...this.#bySelector.keys()], visitAddress);
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
    const grants = this.#grantsTo(facts.selection.value);
    if (this.#kind === 'addresses') return grants.length > 0 ? [ip] : NO_KEYS;
    for (const { block, grant } of this.#byAddress) if (block === undefined || inBlock(block, ip)) grants.push(grant);
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
  if (names.length === 0) return codes;
  const named = declared.filter((port) =>
    names.some(({ name, protocol }) => name === port.name && protocol === port.protocol),
  );
  return [...codes, ...named.map(({ protocol, port }) => portCode(protocol, port))];
}

function inBlock({ cidr, except }: BlockPeer, ip: Ip): boolean {
  return cidrContains(cidr, ip) && !except.some((block) => cidrContains(block, ip));
}
