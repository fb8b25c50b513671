/** The members of one set, as a firewall keeps them. */
import { compareIp, type Ip, ipFamily } from 'net-types';
import { PROTOCOL_NUMBER } from './rule-packet.ts';
import type { SetMember } from './rule-set.ts';
import type { MemberChange } from './rule-view.ts';

type Block = Pick<SetMember & { kind: 'blocks' }, 'first' | 'last'>;

export class SetMembers {
  readonly #addresses = new Set<Ip>();
  /** Protocol and port in one number, by address. */
  readonly #ports = new Map<Ip, Set<number>>();
  readonly #blocks = new Map<string, Block>();

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
    for (const { first, last } of this.#blocks.values()) {
      if (ipFamily(ip) === ipFamily(first) && compareIp(first, ip) <= 0 && compareIp(ip, last) <= 0) return true;
    }
    return false;
  }

  #add(member: SetMember): void {
    switch (member.kind) {
      case 'addresses':
        this.#addresses.add(member.ip);
        return;
      case 'address-ports':
        this.#portsOf(member.ip).add(portKey(PROTOCOL_NUMBER[member.protocol], member.port));
        return;
      case 'blocks':
        this.#blocks.set(blockKey(member), member);
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
        this.#blocks.delete(blockKey(member));
    }
  }

  #portsOf(ip: Ip): Set<number> {
    let ports = this.#ports.get(ip);
    if (ports === undefined) this.#ports.set(ip, (ports = new Set()));
    return ports;
  }
}

function portKey(protocol: number, port: number): number {
  return protocol * 0x1_0000 + port;
}

function blockKey({ first, last }: Block): string {
  return `${ipFamily(first)} ${first}-${last}`;
}
