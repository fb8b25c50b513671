/**
 * UDP sockets for measuring: synchronous, non-blocking, in any namespace, with a receive buffer of any size and the
 * kernel's own count of what it had to drop for want of room. `Bun.udpSocket` has neither.
 */
import { type Ip, type IpFamily, ipFamily } from 'net-types';
import { check, lastErrno, libc } from './libc.ts';
import { LinuxError } from './linux-error.ts';
import { type NetnsRef, withNetns } from './netns.ts';
import { networkRefusal } from './ping.ts';
import { closeFd, openSocket, setBufferBytes, SOCK } from './socket.ts';
import { AF_INET, AF_INET6, encodeSocketAddress } from './socket-address.ts';

export interface UdpSocketOptions {
  readonly ip: Ip;
  /** 0: the kernel chooses. */
  readonly port: number;
  /** Default: that of the process. */
  readonly netns?: NetnsRef;
  /** Default: the kernel's. Beyond net.core.rmem_max it needs CAP_NET_ADMIN. */
  readonly receiveBufferBytes?: number;
  /**
   * Each datagram goes out whole, whatever the kernel has learnt of the path (ip(7), IP_PMTUDISC_PROBE): what is too long
   * for a link on the way is lost there, what is too long for the own link is refused as EMSGSIZE.
   */
  readonly dontFragment?: true;
}

export interface UdpSocket extends Disposable {
  /** Undefined when the kernel took it; else the errno's name (`ENETUNREACH`, `EPERM`), and nothing was sent. */
  send(payload: Uint8Array, to: UdpTarget): string | undefined;
  /** Bytes of the next datagram, written into the buffer; undefined when none waits. Longer ones are cut. */
  receive(into: Uint8Array): number | undefined;
  /** Datagrams that arrived and were dropped since the socket was opened: the buffer was full, or a checksum wrong. */
  dropped(): number;
}

/** An address and port, encoded once. */
export interface UdpTarget {
  readonly address: Uint8Array;
}

const SOL_SOCKET = 1;
/** asm-generic/socket.h; an array of u32 by enum SK_MEMINFO_* (linux/sock_diag.h), the ninth are the drops. */
const SO_MEMINFO = 55;
const SK_MEMINFO_DROPS = 8;
/** linux/in.h and linux/in6.h; PROBE is the same in both. */
const [IPPROTO_IP, IP_MTU_DISCOVER] = [0, 10];
const [IPPROTO_IPV6, IPV6_MTU_DISCOVER] = [41, 23];
const PMTUDISC_PROBE = 3;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;

export function udpTarget(ip: Ip, port: number): UdpTarget {
  return { address: encodeSocketAddress(ip, port) };
}

export function openUdpSocket(options: UdpSocketOptions): UdpSocket {
  const fd = options.netns === undefined ? openBound(options) : withNetns(options.netns, () => openBound(options));
  return {
    send(payload, { address }) {
      const sent = libc().sendto(fd, payload, payload.length, MSG_DONTWAIT, address, address.length);
      if (sent >= 0) return undefined;
      const error = new LinuxError('sendto', lastErrno(), 'UDP');
      if (error.errno === EAGAIN) return error.code;
      const refusal = networkRefusal(error);
      if (refusal === undefined) throw error;
      return refusal;
    },
    receive(into) {
      const length = libc().recv(fd, into, into.length, MSG_DONTWAIT);
      if (length >= 0) return Number(length);
      const error = new LinuxError('recv', lastErrno(), 'UDP');
      if (error.errno === EAGAIN) return undefined;
      throw error;
    },
    dropped() {
      const memory = new Uint32Array(SK_MEMINFO_DROPS + 1);
      const length = new Uint32Array([memory.byteLength]);
      check('getsockopt', libc().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, length), 'SO_MEMINFO');
      return memory[SK_MEMINFO_DROPS] ?? 0;
    },
    [Symbol.dispose]: () => closeFd(fd),
  };
}

function openBound({ ip, port, receiveBufferBytes, dontFragment }: UdpSocketOptions): number {
  const fd = openSocket(ipFamily(ip) === 4 ? AF_INET : AF_INET6, SOCK.DGRAM, 0);
  try {
    if (receiveBufferBytes !== undefined) setBufferBytes(fd, 'receive', receiveBufferBytes);
    if (dontFragment === true) forbidFragments(fd, ipFamily(ip));
    const address = encodeSocketAddress(ip, port);
    check('bind', libc().bind(fd, address, address.length), `UDP port ${port}`);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function forbidFragments(fd: number, family: IpFamily): void {
  const [level, option] = family === 4 ? [IPPROTO_IP, IP_MTU_DISCOVER] : [IPPROTO_IPV6, IPV6_MTU_DISCOVER];
  const value = Int32Array.of(PMTUDISC_PROBE);
  check('setsockopt', libc().setsockopt(fd, level, option, value, value.byteLength), 'MTU_DISCOVER');
}
