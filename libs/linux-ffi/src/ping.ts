/** One ICMP echo without a ping binary: a raw socket, opened where it is wanted, polled without blocking. */
import { type Ip, ipFamily } from 'net-types';
import { libc, lastErrno, retryOnSignal } from './libc.ts';
import { isLinuxError, LinuxError } from './linux-error.ts';
import { encodeEchoRequest, judgeEchoDatagram } from './icmp-echo.ts';
import { type NetnsRef, withNetns } from './netns.ts';
import { closeFd, openSocket, setIntOption, SOCK } from './socket.ts';
import { AF_INET, AF_INET6, decodeSocketIp, encodeSocketAddress, SOCKADDR_BYTES } from './socket-address.ts';

export interface PingOptions {
  readonly to: Ip;
  /** Namespace to ping from. Default: that of the process. */
  readonly netns?: NetnsRef;
  /** Bytes behind the eight of the ICMP header. Default 56. */
  readonly payloadBytes?: number;
  /** Forbids fragmentation here and on the way: for finding out which size passes. */
  readonly dontFragment?: boolean;
  /** Default 1000. */
  readonly timeoutMs?: number;
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export type PingResult =
  | { readonly ok: true; readonly rttMs: number; readonly from: Ip | undefined }
  /** `timeout`, what an ICMP error said (`unreachable (code 1)`), or the errno name of the send (`ENETUNREACH`). */
  | { readonly ok: false; readonly reason: string };

const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const IPPROTO_IPV6 = 41;
const IP_MTU_DISCOVER = 10;
const IPV6_MTU_DISCOVER = 23;
const IPV6_DONTFRAG = 62;
const PMTUDISC_DO = 2;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const POLLIN = 1;

/** Sends one echo request and waits for its answer. What the network answers is a result; only our own failures throw. */
export async function ping(options: PingOptions): Promise<PingResult> {
  const { to, netns, payloadBytes = 56, timeoutMs = 1000, signal } = options;
  signal?.throwIfAborted();
  const family = ipFamily(to);
  const fd = netns === undefined ? openEchoSocket(options) : withNetns(netns, () => openEchoSocket(options));
  try {
    const identifier = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
    const sequence = 1;
    const request = encodeEchoRequest(family, identifier, sequence, payloadBytes);
    const address = encodeSocketAddress(to, 0);
    const sentMs = performance.now();
    const refusal = sendTo(fd, request, address);
    if (refusal !== undefined) return { ok: false, reason: refusal };
    // The kernel next door answers within microseconds: worth blocking a moment for an exact time.
    libc().poll(new Int32Array([fd, POLLIN]), 1, 1);
    for (;;) {
      for (let got = receiveFrom(fd); got !== undefined; got = receiveFrom(fd)) {
        const answer = judgeEchoDatagram(family, got.datagram, identifier, sequence);
        if (answer?.type === 'reply') return { ok: true, rttMs: performance.now() - sentMs, from: got.from };
        if (answer?.type === 'error') return { ok: false, reason: answer.reason };
      }
      if (performance.now() - sentMs >= timeoutMs) return { ok: false, reason: 'timeout' };
      await new Promise((resolve) => setTimeout(resolve, 1));
      signal?.throwIfAborted();
    }
  } finally {
    closeFd(fd);
  }
}

function openEchoSocket({ to, dontFragment }: PingOptions): number {
  const family = ipFamily(to);
  const fd =
    family === 4 ? openSocket(AF_INET, SOCK.RAW, IPPROTO_ICMP) : openSocket(AF_INET6, SOCK.RAW, IPPROTO_ICMPV6);
  if (dontFragment !== true) return fd;
  if (family === 4) setIntOption(fd, 0, IP_MTU_DISCOVER, PMTUDISC_DO);
  else {
    setIntOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO);
    setIntOption(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
  }
  return fd;
}

/**
 * Errnos by which the kernel says "the network does not take this", as against "you called me wrongly". They concern one
 * target or one moment: no buffer or memory for a route just now, a device that has lost its addresses (EADDRNOTAVAIL,
 * ipv6_dev_get_saddr), a filter's drop (EPERM).
 */
const REFUSALS = [
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'EMSGSIZE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EPERM',
  'EACCES',
  'EINVAL',
];

/** The errno's name where the network refused to send; undefined for a fault that every further ping would meet as well. */
export function networkRefusal(error: unknown): string | undefined {
  return isLinuxError(error, ...REFUSALS) ? error.code : undefined;
}

function sendTo(fd: number, message: Uint8Array, address: Uint8Array): string | undefined {
  try {
    const send = (): number | bigint => libc().sendto(fd, message, message.length, 0, address, address.length);
    retryOnSignal('sendto', send, 'ICMP');
    return undefined;
  } catch (error) {
    const refusal = networkRefusal(error);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

function receiveFrom(fd: number): { datagram: Uint8Array; from: Ip | undefined } | undefined {
  const buffer = new Uint8Array(65_536);
  const address = new Uint8Array(SOCKADDR_BYTES);
  const length = libc().recvfrom(fd, buffer, buffer.length, MSG_DONTWAIT, address, new Uint32Array([SOCKADDR_BYTES]));
  if (length >= 0) return { datagram: buffer.subarray(0, Number(length)), from: decodeSocketIp(address) };
  const errno = lastErrno();
  // Errors that ICMP raised on the socket (EHOSTUNREACH, EMSGSIZE) come as messages too: those are judged.
  const error = new LinuxError('recvfrom', errno, 'ICMP');
  if (errno === EAGAIN || networkRefusal(error) !== undefined) return undefined;
  throw error;
}
