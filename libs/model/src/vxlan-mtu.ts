import type { IpFamily } from 'net-types';

/**
 * Bytes that vxlan adds to a pod's packet: outer IP header (20 or 40), UDP 8, VXLAN 8, inner Ethernet 14
 * (include/net/vxlan.h, vxlan_headroom). By the family of the outer packet, so 70 over IPv6 where flannel takes 50.
 */
export function vxlanOverheadBytes(outer: IpFamily): 50 | 70 {
  return outer === 4 ? 50 : 70;
}

/** The kernel switches IPv6 off on a device below 1280 (RFC 8200 §5); IPv4 hosts need take no more than 576 (RFC 791). */
export function minimumMtuBytes(family: IpFamily): 576 | 1280 {
  return family === 4 ? 576 : 1280;
}
