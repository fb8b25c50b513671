/** Statements that report, ration, sample and mark packets, as nft words them. */
import { NFT_BYTEORDER } from './expression/byteorder.ts';
import { NFT_CMP } from './expression/cmp.ts';
import { NFT_CT } from './expression/ct.ts';
import type { KnownNftExpression } from './expression/expression.ts';
import { NFT_LIMIT, NFT_LIMIT_F_INV } from './expression/limit.ts';
import { NFT_META } from './expression/meta.ts';
import { NFT_NG } from './expression/numgen.ts';
import { NFT_REG } from './expression/registers.ts';
import { NFT_FIELD } from './field.ts';
import { compare, hostU32, mask } from './register-match.ts';

const { REG_1 } = NFT_REG;

/** NF_LOG_PREFIXLEN without the zero byte. */
const MAX_PREFIX_BYTES = 127;

export interface NflogOptions {
  /** At most 127 bytes, no quotes: nft could not restore them from its listing. */
  readonly prefix?: string;
  /** Bytes of the packet that go along. Default: all of them. */
  readonly snapLength?: number;
  /** How many reports the kernel gathers before it sends. Default: as the listener asked for. */
  readonly queueThreshold?: number;
}

/**
 * `log group GROUP prefix "PREFIX" snaplen N`: to whoever listens to that NFLOG group. The rule goes on. Throws RangeError
 * for a prefix that nft could not hold.
 */
export function logToGroup(group: number, options: NflogOptions = {}): KnownNftExpression {
  const { prefix = '' } = options;
  if (prefix.includes('"') || new TextEncoder().encode(prefix).length > MAX_PREFIX_BYTES) {
    throw new RangeError(`a log prefix is 0..${MAX_PREFIX_BYTES} bytes without quotes: ${JSON.stringify(prefix)}`);
  }
  return { type: 'log', group, ...options };
}

const UNIT_SECONDS = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 } as const;

export interface RateLimit {
  /** Packets. */
  readonly rate: number;
  readonly per: keyof typeof UNIT_SECONDS;
  /** How many may come at once beyond. nft's default is 5. */
  readonly burst?: number;
}

/** `limit rate [over] RATE/second burst BURST packets`: within the rate, or over it. One bucket for all packets. */
export function limitRate({ rate, per, burst = 5 }: RateLimit, over = false): KnownNftExpression {
  const flags = over ? NFT_LIMIT_F_INV : 0;
  return {
    type: 'limit',
    rate: BigInt(rate),
    unit: BigInt(UNIT_SECONDS[per]),
    burst,
    limitType: NFT_LIMIT.PKTS,
    flags,
  };
}

/** `numgen random mod MODULUS < COUNT`: that many of so many packets, at random. */
export function sample(count: number, modulus: number): KnownNftExpression[] {
  return [
    { type: 'numgen', dreg: REG_1, modulus, generator: NFT_NG.RANDOM, offset: 0 },
    { type: 'byteorder', sreg: REG_1, dreg: REG_1, op: NFT_BYTEORDER.HTON, length: 4, size: 4 },
    compare(NFT_CMP.LT, Uint8Array.of(count >>> 24, count >>> 16, count >>> 8, count)),
  ];
}

/** `ct mark set VALUE`; with a mask only its bits: `ct mark set ct mark & ~MASK | VALUE`. */
export function setCtMark(value: number, markMask = 0xffff_ffff): KnownNftExpression[] {
  const load = NFT_FIELD.ctMark.load(REG_1);
  return [...newMark(load, value, markMask), { type: 'ct', key: NFT_CT.MARK, sreg: REG_1 }];
}

/** `meta mark set VALUE`; with a mask only its bits: `meta mark set meta mark & ~MASK | VALUE`. */
export function setMark(value: number, markMask = 0xffff_ffff): KnownNftExpression[] {
  const load = NFT_FIELD.mark.load(REG_1);
  return [...newMark(load, value, markMask), { type: 'meta', key: NFT_META.MARK, sreg: REG_1 }];
}

function newMark(load: KnownNftExpression, value: number, markMask: number): KnownNftExpression[] {
  if (markMask === 0xffff_ffff) return [{ type: 'immediate', dreg: REG_1, data: { value: hostU32(value) } }];
  return [load, mask(hostU32(~markMask), hostU32(value & markMask))];
}
