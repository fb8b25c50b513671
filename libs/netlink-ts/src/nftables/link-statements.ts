/** Statements about the frame that a packet is in, as nft words them; for chains of the bridge and netdev families. */
import { type Mac, macToBytes } from 'net-types';
import type { KnownNftExpression } from './expression/expression.ts';
import { NFT_META } from './expression/meta.ts';
import { NFT_PAYLOAD } from './expression/payload.ts';
import { NFT_REG } from './expression/registers.ts';
import { NFT_FIELD } from './field.ts';
import { equals } from './register-match.ts';

const { REG_1 } = NFT_REG;

/** What the kernel takes a frame for (PACKET_* of linux/if_packet.h). */
export const PACKET_TYPE = { HOST: 0, BROADCAST: 1, MULTICAST: 2, OTHERHOST: 3 } as const;

/** `ether daddr [!=] MAC`. */
export function matchEtherDestination(mac: Mac, negated = false): KnownNftExpression[] {
  return [NFT_FIELD.etherDaddr.load(REG_1), equals(macToBytes(mac), negated)];
}

/** `ether daddr set MAC`. */
export function setEtherDestination(mac: Mac): KnownNftExpression[] {
  return [
    { type: 'immediate', dreg: REG_1, data: { value: macToBytes(mac) } },
    { type: 'payload', sreg: REG_1, base: NFT_PAYLOAD.LL_HEADER, offset: 0, length: 6 },
  ];
}

/** `meta pkttype other` and the like (PACKET_TYPE). */
export function matchPacketType(type: number): KnownNftExpression[] {
  return [{ type: 'meta', key: NFT_META.PKTTYPE, dreg: REG_1 }, equals(Uint8Array.of(type))];
}

/** `meta pkttype set host` and the like (PACKET_TYPE); of the bridge family at prerouting alone. */
export function setPacketType(type: number): KnownNftExpression[] {
  return [
    { type: 'immediate', dreg: REG_1, data: { value: Uint8Array.of(type) } },
    { type: 'meta', key: NFT_META.PKTTYPE, sreg: REG_1 },
  ];
}
