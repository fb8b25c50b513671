import { NFT_META } from './expression/meta.ts';
import { NFT_CT } from './expression/ct.ts';
import type { KnownNftExpression } from './expression/expression.ts';
import { NFT_PAYLOAD } from './expression/payload.ts';
import { NFT_REG } from './expression/registers.ts';
import { paddedLength } from './datatype.ts';

/** A property of a packet that a set can be asked for. */
export interface NftField {
  readonly bytes: number;
  readonly load: (dreg: number) => KnownNftExpression;
}

const meta = (key: number, bytes: number): NftField => ({ bytes, load: (dreg) => ({ type: 'meta', key, dreg }) });
const ct = (key: number, bytes: number): NftField => ({ bytes, load: (dreg) => ({ type: 'ct', key, dreg }) });
const payload = (base: number, offset: number, bytes: number): NftField => ({
  bytes,
  load: (dreg) => ({ type: 'payload', dreg, base, offset, length: bytes }),
});

const { LL_HEADER, NETWORK_HEADER, TRANSPORT_HEADER } = NFT_PAYLOAD;

/**
 * Fields in nft's words. What stands in a header needs a match before it that the packet has such a header (matchFamily,
 * matchProtocol, matchEtherType), or other bytes are read; nft needs it too, to print the field by name.
 */
export const NFT_FIELD = {
  iifname: meta(NFT_META.IIFNAME, 16),
  oifname: meta(NFT_META.OIFNAME, 16),
  iif: meta(NFT_META.IIF, 4),
  oif: meta(NFT_META.OIF, 4),
  mark: meta(NFT_META.MARK, 4),
  nfproto: meta(NFT_META.NFPROTO, 1),
  l4proto: meta(NFT_META.L4PROTO, 1),
  ctMark: ct(NFT_CT.MARK, 4),
  ctState: ct(NFT_CT.STATE, 4),
  ipSaddr: payload(NETWORK_HEADER, 12, 4),
  ipDaddr: payload(NETWORK_HEADER, 16, 4),
  ip6Saddr: payload(NETWORK_HEADER, 8, 16),
  ip6Daddr: payload(NETWORK_HEADER, 24, 16),
  sport: payload(TRANSPORT_HEADER, 0, 2),
  dport: payload(TRANSPORT_HEADER, 2, 2),
  icmpType: payload(TRANSPORT_HEADER, 0, 1),
  etherDaddr: payload(LL_HEADER, 0, 6),
  etherSaddr: payload(LL_HEADER, 6, 6),
  etherType: payload(LL_HEADER, 12, 2),
  arpOperation: payload(NETWORK_HEADER, 6, 2),
  arpSaddrEther: payload(NETWORK_HEADER, 8, 6),
  arpSaddrIp: payload(NETWORK_HEADER, 14, 4),
  arpDaddrEther: payload(NETWORK_HEADER, 18, 6),
  arpDaddrIp: payload(NETWORK_HEADER, 24, 4),
} as const satisfies Record<string, NftField>;

/** Room of the registers. */
const REGISTER_BYTES = 64;
const LONG_REGISTER_BYTES = 16;

/** Loads the fields one behind the other into the registers, as a concatenation: `ip saddr . tcp dport`. */
export function loadFields(fields: readonly NftField[]): KnownNftExpression[] {
  let offset = 0;
  const loads: KnownNftExpression[] = [];
  for (const { bytes, load } of fields) {
    loads.push(load(registerAt(offset)));
    offset += paddedLength(bytes);
  }
  if (offset === 0 || offset > REGISTER_BYTES) {
    throw new RangeError(`a key takes 1..${REGISTER_BYTES} bytes of the registers, not ${offset}`);
  }
  return loads;
}

function registerAt(offset: number): number {
  return offset % LONG_REGISTER_BYTES === 0
    ? NFT_REG.REG_1 + offset / LONG_REGISTER_BYTES
    : NFT_REG.REG32_00 + offset / 4;
}
