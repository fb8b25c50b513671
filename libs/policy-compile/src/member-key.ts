/** Members of sets as numbers, so that they can be keys of a Map: a number for IPv4, a bigint for IPv6. */
import type { RuleProtocol, SetMember } from '@canal/rules-ast';
import type { Ip, Ipv4, Ipv6 } from 'net-types';

/** Of an address alone, or of an address with protocol and port: unique among the members of one set. */
export type MemberKey = number | bigint;

/** Protocol and port in 18 bits. */
export type PortCode = number;

const PROTOCOLS: readonly RuleProtocol[] = ['SCTP', 'TCP', 'UDP'];
const PORT_BITS = 18;
const PORT_CODES = 1 << PORT_BITS;

export function portCode(protocol: RuleProtocol, port: number): PortCode {
  return PROTOCOLS.indexOf(protocol) * 65_536 + port;
}

/** 32 + 18 bits fit a double without loss. */
export function addressPortKey(ip: Ip, code: PortCode): MemberKey {
  return typeof ip === 'number' ? ip * PORT_CODES + code : (ip << BigInt(PORT_BITS)) | BigInt(code);
}

export function memberOf(kind: 'addresses' | 'address-ports', key: MemberKey): SetMember {
  if (kind === 'addresses') return { kind, ip: key as Ip };
  const code = typeof key === 'number' ? key % PORT_CODES : Number(key & BigInt(PORT_CODES - 1));
  const ip = typeof key === 'number' ? (Math.floor(key / PORT_CODES) as Ipv4) : ((key >> BigInt(PORT_BITS)) as Ipv6);
  return { kind, ip, protocol: PROTOCOLS[code >> 16] as RuleProtocol, port: code & 0xffff };
}
