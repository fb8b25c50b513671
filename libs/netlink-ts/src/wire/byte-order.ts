/**
 * Netlink is host-endian: DataView calls take this as their last argument. Attributes and fields that are big-endian
 * on every machine (IP addresses, ports) say so in their codec.
 */
export const LITTLE_ENDIAN: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Messages and attributes start at multiples of four bytes (NLMSG_ALIGN, NLA_ALIGN). */
export function align4(length: number): number {
  return (length + 3) & ~3;
}
