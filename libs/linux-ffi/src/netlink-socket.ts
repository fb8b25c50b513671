/** Netlink sockets: the transports that netlink-ts asks for. */
import type { NetlinkTransport } from 'netlink-ts';
import { check, lastErrno, libc, retryOnSignal } from './libc.ts';
import { LinuxError } from './linux-error.ts';
import { type NetnsRef, withNetns } from './netns.ts';
import { closeFd, openSocket, setBufferBytes, setIntOption, setReceiveTimeout, SOCK } from './socket.ts';

/** Netlink families (linux/netlink.h). */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;

export interface NetlinkSocketOptions {
  /** NETLINK_*. Default: NETLINK_ROUTE. */
  readonly protocol?: number;
  /** Namespace to open the socket in; it stays there. Default: that of the process. */
  readonly netns?: NetnsRef | undefined;
  /** Multicast groups by number (RTNLGRP, NFNLGRP). */
  readonly groups?: readonly number[];
  /** Size asked for; the kernel doubles it. */
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
}

export interface NetlinkRequestSocketOptions extends NetlinkSocketOptions {
  /** How long an answer may take: the kernel answers inside the send, so this is for what should not happen. */
  readonly timeoutMs?: number;
}

const AF_NETLINK = 16;
export const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const SOCKADDR_NL_BYTES = 12;
const MSG_PEEK = 0x02;
const MSG_TRUNC = 0x20;

/** A socket for requests. */
export function openNetlinkSocket(options: NetlinkRequestSocketOptions = {}): NetlinkTransport {
  const { fd, sendBufferBytes, receiveBufferBytes } = bindNetlinkSocket(options, 0);
  setReceiveTimeout(fd, options.timeoutMs ?? 10_000);
  return new RequestSocket(fd, sendBufferBytes, receiveBufferBytes);
}

/**
 * A bound socket, connected to the kernel: a connected netlink socket refuses messages of other processes, which
 * somebody with CAP_NET_ADMIN in a namespace that we look into could otherwise send us as the kernel's answers.
 */
export function bindNetlinkSocket(
  options: NetlinkSocketOptions,
  typeFlags: number,
): { fd: number; sendBufferBytes: number; receiveBufferBytes: number } {
  const { protocol = NETLINK_ROUTE, netns, groups = [] } = options;
  const open = (): number => openSocket(AF_NETLINK, SOCK.RAW | typeFlags, protocol);
  const fd = netns === undefined ? open() : withNetns(netns, open);
  try {
    const sendBufferBytes = setBufferBytes(fd, 'send', options.sendBufferBytes ?? 512 * 1024);
    const receiveBufferBytes = setBufferBytes(fd, 'receive', options.receiveBufferBytes ?? 1024 * 1024);
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) setIfKnown(fd, option);
    const kernel = new Uint8Array(SOCKADDR_NL_BYTES);
    new Uint16Array(kernel.buffer)[0] = AF_NETLINK;
    check('bind', libc().bind(fd, kernel, SOCKADDR_NL_BYTES), 'netlink');
    check('connect', libc().connect(fd, kernel, SOCKADDR_NL_BYTES), 'netlink');
    for (const group of groups) setIntOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
    return { fd, sendBufferBytes, receiveBufferBytes };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

const ENOPROTOOPT = 92;

/** Extended acks came with Linux 4.12, capped acks with 4.3, strict checking with 4.20: without them it works, less well. */
function setIfKnown(fd: number, option: number): void {
  const on = new Int32Array([1]);
  if (libc().setsockopt(fd, SOL_NETLINK, option, on, on.byteLength) === 0) return;
  const errno = lastErrno();
  if (errno !== ENOPROTOOPT) throw new LinuxError('setsockopt', errno, `SOL_NETLINK option ${option}`);
}

class RequestSocket implements NetlinkTransport {
  readonly portId: number;
  readonly sendBufferBytes: number;
  readonly receiveBufferBytes: number;
  #fd: number;
  // The kernel fills dump datagrams up to 32 KiB if it sees that the reader takes as much.
  #buffer = new Uint8Array(64 * 1024);

  constructor(fd: number, sendBufferBytes: number, receiveBufferBytes: number) {
    this.#fd = fd;
    this.sendBufferBytes = sendBufferBytes;
    this.receiveBufferBytes = receiveBufferBytes;
    const address = new Uint8Array(SOCKADDR_NL_BYTES);
    check('getsockname', libc().getsockname(fd, address, new Uint32Array([SOCKADDR_NL_BYTES])), 'netlink');
    this.portId = new Uint32Array(address.buffer)[1] ?? 0;
  }

  send(datagram: Uint8Array): void {
    retryOnSignal('send', () => libc().send(this.#fd, datagram, datagram.length, 0), 'netlink');
  }

  receive(): Uint8Array {
    // Looks at the length first: a datagram that does not fit would be cut, and the rest of it lost.
    const length = this.#recv(MSG_PEEK | MSG_TRUNC, 0);
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    return this.#buffer.subarray(0, this.#recv(0, this.#buffer.length));
  }

  #recv(flags: number, bytes: number): number {
    try {
      return retryOnSignal('recv', () => libc().recv(this.#fd, this.#buffer, bytes, flags), 'netlink');
    } catch (error) {
      if (error instanceof LinuxError && error.code === 'EAGAIN') throw new LinuxError('recv', ETIMEDOUT, 'netlink');
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeFd(this.#fd);
    this.#fd = -1;
  }
}

const ETIMEDOUT = 110;
