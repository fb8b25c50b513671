/** The members of one set, as a firewall keeps them: asked by hash, or by a few masks. */
import { type Cidr, cidrOf, type Ip, ipFamily } from 'net-types';
import { PROTOCOL_NUMBER } from './rule-packet.ts';
import type { SetMember } from './rule-set.ts';
import type { MemberChange } from './rule-view.ts';

export class SetMembers {
  readonly #addresses = new Set<Ip>();
  /** Protocol and port in one number, by address. */
  readonly #ports = new Map<Ip, Set<number>>();
  /** Network addresses by prefix length, one family each: blocks of one length are a hash table. */
  readonly #blocks = { 4: new Map<number, Set<Ip>>(), 6: new Map<number, Set<Ip>>() };

  constructor(members: Iterable<SetMember>) {
    for (const member of members) this.#add(member);
  }

  change({ added, removed }: MemberChange): void {
    for (const member of removed) this.#remove(member);
    for (const member of added) this.#add(member);
  }

  hasAddress(ip: Ip): boolean {
    return this.#addresses.has(ip);
  }

  /** `protocol` is the IP protocol number. */
  hasAddressPort(ip: Ip, protocol: number, port: number): boolean {
    return this.#ports.get(ip)?.has(portKey(protocol, port)) ?? false;
  }

  covers(ip: Ip): boolean {
    for (const [prefixLen, networks] of this.#blocks[ipFamily(ip)]) {
      if (networks.has(cidrOf(ip, prefixLen).ip)) return true;
    }
    return false;
  }

  #add(member: SetMember): void {
    switch (member.kind) {
      case 'addresses':
        this.#addresses.add(member.ip);
        return;
      case 'address-ports':
        entryOf(this.#ports, member.ip).add(portKey(PROTOCOL_NUMBER[member.protocol], member.port));
        return;
      case 'blocks':
        entryOf(this.#networksOf(member.cidr), member.cidr.prefixLen).add(member.cidr.ip);
    }
  }

  #remove(member: SetMember): void {
    switch (member.kind) {
      case 'addresses':
        this.#addresses.delete(member.ip);
        return;
      case 'address-ports': {
        const ports = this.#ports.get(member.ip);
        ports?.delete(portKey(PROTOCOL_NUMBER[member.protocol], member.port));
        if (ports?.size === 0) this.#ports.delete(member.ip);
        return;
      }
      case 'blocks':
        this.#networksOf(member.cidr).get(member.cidr.prefixLen)?.delete(member.cidr.ip);
    }
  }

  #networksOf(cidr: Cidr): Map<number, Set<Ip>> {
    return this.#blocks[ipFamily(cidr.ip)];
  }
}

function portKey(protocol: number, port: number): number {
  return protocol * 0x1_0000 + port;
}

function entryOf<K, V>(map: Map<K, Set<V>>, key: K): Set<V> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Set<V>();
  map.set(key, made);
  return made;
}
