import type { NflogTransport } from 'netlink-ts';
import { libc, retryOnSignal } from './libc.ts';
import { type NetlinkSocketOptions, bindNetlinkSocket, SOL_NETLINK } from './netlink-socket.ts';
import { closeFd, setIntOption, SOCK } from './socket.ts';

export interface NetlinkEventSocketOptions extends NetlinkSocketOptions {
  /** The stream goes on when messages were lost, for those whose messages are numbered (NETLINK_NO_ENOBUFS). */
  readonly ignoreOverruns?: boolean;
}

const NETLINK_NO_ENOBUFS = 5;

/**
 * A socket for events that waits on the event loop. The runtime reads a non-blocking descriptor as a stream, in pieces
 * of up to 64 KiB at least, while the kernel's notifications are a few KiB; a piece is one or more whole datagrams.
 * Nothing is read ahead: who does not read fills the kernel's buffer, not ours. While there is always more to read, the
 * reader must let other work go by itself. The stream fails with ENOBUFS when events were lost.
 */
export function openNetlinkEventSocket(options: NetlinkEventSocketOptions): NflogTransport {
  const { fd } = bindNetlinkSocket({ receiveBufferBytes: 4 * 1024 * 1024, ...options }, SOCK.NONBLOCK);
  if (options.ignoreOverruns === true) setIntOption(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
  const reader = Bun.file(fd).stream().getReader();
  let open = true;
  return {
    async read() {
      if (!open) return undefined;
      const { value } = await reader.read();
      return value;
    },
    send(datagram) {
      retryOnSignal('send', () => libc().send(fd, datagram, datagram.length, 0), 'netlink');
    },
    [Symbol.dispose]() {
      if (!open) return;
      open = false;
      // The stream has a duplicate of the descriptor, which cancelling closes.
      reader.cancel().catch(() => undefined);
      closeFd(fd);
    },
  };
}
