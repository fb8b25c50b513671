/** The first packets of flows that a node forwards for pods, as far as their network tells. */
import type { ForwardTraffic } from '@canal/kernel-port';
import { type Cidr, cidrFamily, ipToBytes } from 'net-types';
import { CT_STATUS, NFPROTO } from 'netlink-ts';
import { type KnownBits, unknownBits } from './nft-known-bits.ts';
import type { PacketKnowledge } from './nft-packet-path.ts';

export const FORWARD_TRAFFIC: readonly ForwardTraffic[] = ['pod-to-pod', 'pod-to-outside', 'service-to-pod'];

export function podPacket(traffic: ForwardTraffic, network: Cidr): PacketKnowledge {
  const family = cidrFamily(network);
  const networkHeader = unknownBits(family === 4 ? 20 : 40);
  networkHeader.mask[0] = 0xf0;
  networkHeader.value[0] = family === 4 ? 0x40 : 0x60;
  const [source, destination] = family === 4 ? [12, 16] : [8, 24];
  if (traffic !== 'service-to-pod') writePrefix(networkHeader, source, network);
  if (traffic !== 'pod-to-outside') writePrefix(networkHeader, destination, network);
  return {
    family: family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6,
    networkHeader,
    ctStatus: traffic === 'service-to-pod' ? statusBits(CT_STATUS.DST_NAT) : unknownBits(4),
  };
}

function writePrefix(header: KnownBits, offset: number, { ip, prefixLen }: Cidr): void {
  for (const [index, byte] of ipToBytes(ip).entries()) {
    const bits = Math.min(8, Math.max(0, prefixLen - index * 8));
    header.mask[offset + index] = (0xff00 >>> bits) & 0xff;
    header.value[offset + index] = byte;
  }
}

/** These bits are set; of the others nothing is known. */
function statusBits(bits: number): KnownBits {
  const bytes = new Uint8Array(Uint32Array.of(bits).buffer);
  return { mask: bytes, value: bytes };
}
