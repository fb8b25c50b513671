/**
 * The expressions of rules as nft words them, one function a match or statement: what they give is, byte for byte, what
 * `nft` sends for the text in their comments.
 */
import { type Cidr, cidrFamily, familyBits, type IpFamily, ipToBytes } from 'net-types';
import { NFPROTO } from '../nfnetlink/header.ts';
import { NFT_CMP } from './expression/cmp.ts';
import { CT_STATE, NFT_CT } from './expression/ct.ts';
import { NFT_VERDICT } from './expression/data.ts';
import type { KnownNftExpression } from './expression/expression.ts';
import { NFT_EXTHDR_F_PRESENT, NFT_EXTHDR_OP } from './expression/exthdr.ts';
import { NFT_FIB_F, NFT_FIB_RESULT } from './expression/fib.ts';
import { NF_NAT_RANGE } from './expression/masquerade.ts';
import { NFT_META } from './expression/meta.ts';
import { NFT_PAYLOAD } from './expression/payload.ts';
import { NFT_REG } from './expression/registers.ts';
import { NFT_FIELD } from './field.ts';
import { interfaceNameBytes, portBytes } from './key.ts';
import { NFT_OBJECT } from './object.ts';
import { compare, equals, hostU32, mask, within } from './register-match.ts';

const { REG_1 } = NFT_REG;

/** `meta nfproto ipv4|ipv6`: in an inet chain, what must stand before a match on an address. */
export function matchFamily(family: IpFamily): KnownNftExpression[] {
  return [
    { type: 'meta', key: NFT_META.NFPROTO, dreg: REG_1 },
    equals(Uint8Array.of(family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6)),
  ];
}

/** `ip|ip6 saddr|daddr [!=] CIDR`, without the match on the family. */
export function matchAddress(side: 'saddr' | 'daddr', cidr: Cidr, negated = false): KnownNftExpression[] {
  const family = cidrFamily(cidr);
  const addressBytes = familyBits(family) / 8;
  const networkBytes = ipToBytes(cidr.ip);
  // A prefix of whole bytes needs no mask: fewer bytes are loaded and compared.
  const whole = cidr.prefixLen % 8 === 0 && cidr.prefixLen > 0;
  const length = whole ? cidr.prefixLen / 8 : addressBytes;
  const load: KnownNftExpression = {
    type: 'payload',
    dreg: REG_1,
    base: NFT_PAYLOAD.NETWORK_HEADER,
    offset: addressOffset(family, side),
    length,
  };
  const test = equals(networkBytes.subarray(0, length), negated);
  return whole ? [load, test] : [load, mask(prefixMask(addressBytes, cidr.prefixLen)), test];
}

/** `meta mark & MASK == VALUE`. */
export function matchMark(value: number, markMask: number): KnownNftExpression[] {
  return [NFT_FIELD.mark.load(REG_1), mask(hostU32(markMask)), equals(hostU32(value))];
}

/** `ct mark & MASK == VALUE`. */
export function matchCtMark(value: number, markMask: number): KnownNftExpression[] {
  return [NFT_FIELD.ctMark.load(REG_1), mask(hostU32(markMask)), equals(hostU32(value))];
}

/** `ct state established,related` and the like: any of the bits (CT_STATE). */
export function matchCtState(bits: number = CT_STATE.ESTABLISHED | CT_STATE.RELATED): KnownNftExpression[] {
  return matchCtBits(NFT_CT.STATE, bits);
}

/** `ct status dnat` and the like: any of the bits (CT_STATUS). */
export function matchCtStatus(bits: number): KnownNftExpression[] {
  return matchCtBits(NFT_CT.STATUS, bits);
}

/** `ct direction original|reply`: the side of the flow that the packet comes from. */
export function matchCtDirection(direction: 'original' | 'reply'): KnownNftExpression[] {
  return [{ type: 'ct', key: NFT_CT.DIRECTION, dreg: REG_1 }, equals(Uint8Array.of(direction === 'original' ? 0 : 1))];
}

/** `ct protocol tcp`: an IP protocol number. */
export function matchCtProtocol(protocol: number): KnownNftExpression[] {
  return [{ type: 'ct', key: NFT_CT.PROTOCOL, dreg: REG_1 }, equals(Uint8Array.of(protocol))];
}

/** `meta l4proto [!=] tcp`: an IP protocol number, behind extension headers. */
export function matchProtocol(protocol: number, negated = false): KnownNftExpression[] {
  return [NFT_FIELD.l4proto.load(REG_1), equals(Uint8Array.of(protocol), negated)];
}

/** `th sport|dport [!=] FIRST-LAST`; behind matchProtocol nft says `tcp dport`. */
export function matchPort(
  side: 'sport' | 'dport',
  first: number,
  last: number = first,
  negated = false,
): KnownNftExpression[] {
  const load = NFT_FIELD[side].load(REG_1);
  if (first === last) return [load, equals(portBytes(first), negated)];
  return [load, ...within(portBytes(first), portBytes(last), negated)];
}

/** `icmp type` or `icmpv6 type`, behind matchProtocol of 1 or 58. */
export function matchIcmpType(type: number, negated = false): KnownNftExpression[] {
  return [NFT_FIELD.icmpType.load(REG_1), equals(Uint8Array.of(type), negated)];
}

/** `exthdr frag exists` and the like, behind matchFamily(6): an IPv6 extension header by its protocol number. */
export function matchExtensionHeader(header: number): KnownNftExpression[] {
  const present = { op: NFT_EXTHDR_OP.IPV6, flags: NFT_EXTHDR_F_PRESENT, offset: 0, length: 1 };
  return [{ type: 'exthdr', dreg: REG_1, header, ...present }, equals(Uint8Array.of(1))];
}

/** `tcp flags & MASK [!=] FLAGS` (TCP_FLAG), behind matchProtocol of 6. */
export function matchTcpFlags(flags: number, flagMask: number, negated = false): KnownNftExpression[] {
  return [
    { type: 'payload', dreg: REG_1, base: NFT_PAYLOAD.TRANSPORT_HEADER, offset: 13, length: 1 },
    mask(Uint8Array.of(flagMask)),
    equals(Uint8Array.of(flags), negated),
  ];
}

/** `meta iifname|oifname [!=] NAME`; a `*` at the end stands for any rest. */
export function matchInterface(side: 'iifname' | 'oifname', name: string, negated = false): KnownNftExpression[] {
  const value = name.endsWith('*')
    ? interfaceNameBytes(name.slice(0, -1)).subarray(0, new TextEncoder().encode(name).length - 1)
    : interfaceNameBytes(name);
  return [NFT_FIELD[side].load(REG_1), equals(value, negated)];
}

/** `meta iifkind|oifkind KIND`: what rtnetlink calls the kind of link, as `bridge`. */
export function matchInterfaceKind(side: 'iifkind' | 'oifkind', kind: string): KnownNftExpression[] {
  const key = side === 'iifkind' ? NFT_META.IIFKIND : NFT_META.OIFKIND;
  return [{ type: 'meta', key, dreg: REG_1 }, equals(interfaceNameBytes(kind))];
}

/** `meta oif|iif [!=] INDEX`: nft says the name of the interface that has the index when it lists. */
export function matchInterfaceIndex(side: 'iif' | 'oif', index: number, negated = false): KnownNftExpression[] {
  return [NFT_FIELD[side].load(REG_1), equals(hostU32(index), negated)];
}

/** `ether type ip`, in bridge and netdev chains: an EtherType (0x0800, 0x86dd, 0x0806). */
export function matchEtherType(etherType: number): KnownNftExpression[] {
  return [{ type: 'meta', key: NFT_META.PROTOCOL, dreg: REG_1 }, equals(portBytes(etherType))];
}

/** `fib saddr|daddr type [!=] local` and the like: an RTN. */
export function matchAddressType(side: 'saddr' | 'daddr', type: number, negated = false): KnownNftExpression[] {
  const flags = side === 'saddr' ? NFT_FIB_F.SADDR : NFT_FIB_F.DADDR;
  return [{ type: 'fib', dreg: REG_1, result: NFT_FIB_RESULT.ADDRTYPE, flags }, equals(hostU32(type), negated)];
}

/** `fib saddr . iif oif exists|missing`: whether the way back to the sender is the one that the packet came by. */
export function matchReversePath(exists: boolean): KnownNftExpression[] {
  const flags = NFT_FIB_F.SADDR | NFT_FIB_F.IIF | NFT_FIB_F.PRESENT;
  return [{ type: 'fib', dreg: REG_1, result: NFT_FIB_RESULT.OIF, flags }, equals(hostU32(exists ? 1 : 0))];
}

/** `counter`, from zero on. */
export function counter(): KnownNftExpression {
  return { type: 'counter' };
}

/** `counter name "NAME"`: several rules may count together. */
export function namedCounter(name: string): KnownNftExpression {
  return { type: 'objref', objectType: NFT_OBJECT.COUNTER, object: name };
}

/** `accept`, `drop`, `return`: NFT_VERDICT. */
export function verdict(code: number): KnownNftExpression {
  return { type: 'immediate', dreg: NFT_REG.VERDICT, data: { verdict: { code } } };
}

/** `goto CHAIN`: what follows the chain is not this rule's chain but the one that jumped here. */
export function goto(chain: string): KnownNftExpression {
  return { type: 'immediate', dreg: NFT_REG.VERDICT, data: { verdict: { code: NFT_VERDICT.GOTO, chain } } };
}

/** `jump CHAIN`. */
export function jump(chain: string): KnownNftExpression {
  return { type: 'immediate', dreg: NFT_REG.VERDICT, data: { verdict: { code: NFT_VERDICT.JUMP, chain } } };
}

/** `notrack`. */
export function notrack(): KnownNftExpression {
  return { type: 'notrack' };
}

/** `masquerade [fully-random]`. */
export function masquerade(options: { readonly fullyRandom?: boolean } = {}): KnownNftExpression {
  return options.fullyRandom === true ? { type: 'masq', flags: NF_NAT_RANGE.PROTO_RANDOM_FULLY } : { type: 'masq' };
}

function matchCtBits(key: number, bits: number): KnownNftExpression[] {
  return [{ type: 'ct', key, dreg: REG_1 }, mask(hostU32(bits)), compare(NFT_CMP.NEQ, hostU32(0))];
}

/** Offset of the address in the IPv4 (RFC 791) or IPv6 (RFC 8200) header. */
function addressOffset(family: IpFamily, side: 'saddr' | 'daddr'): number {
  if (family === 4) return side === 'saddr' ? 12 : 16;
  return side === 'saddr' ? 8 : 24;
}

function prefixMask(byteCount: number, prefixLen: number): Uint8Array {
  return Uint8Array.from({ length: byteCount }, (_, index) => {
    const bits = Math.min(8, Math.max(0, prefixLen - index * 8));
    return (0xff00 >>> bits) & 0xff;
  });
}
