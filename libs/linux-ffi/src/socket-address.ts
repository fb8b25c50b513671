/** struct sockaddr_in and sockaddr_in6 (netinet/in.h): family in host order, port and address in network order. */
import { type Ip, ipFromBytes, ipToBytes, isIpv4 } from 'net-types';

export const AF_INET = 2;
export const AF_INET6 = 10;
/** Room for either. */
export const SOCKADDR_BYTES = 28;

/** Address and port for bind, connect and sendto. */
export function encodeSocketAddress(ip: Ip, port: number): Uint8Array {
  const bytes = new Uint8Array(isIpv4(ip) ? 16 : SOCKADDR_BYTES);
  new Uint16Array(bytes.buffer)[0] = isIpv4(ip) ? AF_INET : AF_INET6;
  new DataView(bytes.buffer).setUint16(2, port, false);
  bytes.set(ipToBytes(ip), isIpv4(ip) ? 4 : 8);
  return bytes;
}

/** The address of what recvfrom filled in; undefined for other families. */
export function decodeSocketIp(bytes: Uint8Array<ArrayBuffer>): Ip | undefined {
  const family = new Uint16Array(bytes.buffer, bytes.byteOffset, 1)[0];
  if (family === AF_INET) return ipFromBytes(bytes.subarray(4, 8));
  return family === AF_INET6 ? ipFromBytes(bytes.subarray(8, 24)) : undefined;
}
