/** What a connection needs from the platform. Implementations throw errors with an errno name in `code`. */

/** A bound netlink socket for requests: synchronous, because the kernel answers inside the send. */
export interface NetlinkTransport extends Disposable {
  /** The port id that the kernel gave to the socket: replies carry it. */
  readonly portId: number;
  /** SO_SNDBUF: no datagram may be larger. */
  readonly sendBufferBytes: number;
  /** SO_RCVBUF: what unread replies may take, the kernel's own bookkeeping included. */
  readonly receiveBufferBytes: number;
  /** Sends one datagram. */
  send(datagram: Uint8Array): void;
  /**
   * The next datagram, whole, whatever its size; valid until the next call. Blocks for a bounded time, then throws with
   * code `ETIMEDOUT`. Throws with code `ENOBUFS` when the kernel had to drop replies.
   */
  receive(): Uint8Array;
}

/** A bound netlink socket that is a member of multicast groups. */
export interface NetlinkEventTransport extends Disposable {
  /**
   * The next datagrams, one or more whole ones behind each other; undefined after disposal. Rejects with code `ENOBUFS`
   * when the kernel had to drop events: the transport is then of no more use.
   */
  read(): Promise<Uint8Array | undefined>;
}

/** Sees every datagram of a connection: for wire dumps. */
export type WireTrace = (direction: 'sent' | 'received', datagram: Uint8Array) => void;
