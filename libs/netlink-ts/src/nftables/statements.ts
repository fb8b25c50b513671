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
import { NF_NAT_RANGE } from './expression/masquerade.ts';
import { NFT_META } from './expression/meta.ts';
import { NFT_PAYLOAD } from './expression/payload.ts';
import { NFT_REG } from './expression/registers.ts';

const { REG_1 } = NFT_REG;

/** `meta nfproto ipv4|ipv6`: in an inet chain, what must stand before a match on an address. */
export function matchFamily(family: IpFamily): KnownNftExpression[] {
  return [
    { type: 'meta', key: NFT_META.NFPROTO, dreg: REG_1 },
    compare(NFT_CMP.EQ, Uint8Array.of(family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6)),
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
  const test = compare(negated ? NFT_CMP.NEQ : NFT_CMP.EQ, networkBytes.subarray(0, length));
  return whole ? [load, test] : [load, mask(prefixMask(addressBytes, cidr.prefixLen)), test];
}

/** `meta mark & MASK == VALUE`. */
export function matchMark(value: number, markMask: number): KnownNftExpression[] {
  return [
    { type: 'meta', key: NFT_META.MARK, dreg: REG_1 },
    mask(hostU32(markMask)),
    compare(NFT_CMP.EQ, hostU32(value)),
  ];
}

/** `ct state established,related` and the like: any of the bits (CT_STATE). */
export function matchCtState(bits: number = CT_STATE.ESTABLISHED | CT_STATE.RELATED): KnownNftExpression[] {
  return matchCtBits(NFT_CT.STATE, bits);
}

/** `ct status dnat` and the like: any of the bits (CT_STATUS). */
export function matchCtStatus(bits: number): KnownNftExpression[] {
  return matchCtBits(NFT_CT.STATUS, bits);
}

/** `counter`, from zero on. */
export function counter(): KnownNftExpression {
  return { type: 'counter' };
}

/** `accept`, `drop`, `return`: NFT_VERDICT. */
export function verdict(code: number): KnownNftExpression {
  return { type: 'immediate', dreg: NFT_REG.VERDICT, data: { verdict: { code } } };
}

/** `jump CHAIN`. */
export function jump(chain: string): KnownNftExpression {
  return { type: 'immediate', dreg: NFT_REG.VERDICT, data: { verdict: { code: NFT_VERDICT.JUMP, chain } } };
}

/** `masquerade [fully-random]`. */
export function masquerade(options: { readonly fullyRandom?: boolean } = {}): KnownNftExpression {
  return options.fullyRandom === true ? { type: 'masq', flags: NF_NAT_RANGE.PROTO_RANDOM_FULLY } : { type: 'masq' };
}

function matchCtBits(key: number, bits: number): KnownNftExpression[] {
  return [{ type: 'ct', key, dreg: REG_1 }, mask(hostU32(bits)), compare(NFT_CMP.NEQ, hostU32(0))];
}

function compare(op: number, value: Uint8Array): KnownNftExpression {
  return { type: 'cmp', sreg: REG_1, op, data: { value } };
}

function mask(bytes: Uint8Array): KnownNftExpression {
  return {
    type: 'bitwise',
    sreg: REG_1,
    dreg: REG_1,
    length: bytes.length,
    // No `op`: MASK_XOR is the default, and kernels before 5.6 know no other.
    mask: { value: bytes },
    xor: { value: new Uint8Array(bytes.length) },
  };
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

/** Marks and conntrack bits lie in registers as the machine holds a number. */
function hostU32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
