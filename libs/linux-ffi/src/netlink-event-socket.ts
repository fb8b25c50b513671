import type { NetlinkEventTransport } from 'netlink-ts';
import { type NetlinkSocketOptions, bindNetlinkSocket } from './netlink-socket.ts';
import { closeFd, SOCK } from './socket.ts';

/**
 * A socket for events that waits on the event loop. The runtime reads a non-blocking descriptor as a stream, in pieces
 * of up to 64 KiB at least, while the kernel's notifications are a few KiB; a piece is one or more whole datagrams.
 * The stream fails with ENOBUFS when events were lost.
 */
export function openNetlinkEventSocket(options: NetlinkSocketOptions): NetlinkEventTransport {
  const { fd } = bindNetlinkSocket({ receiveBufferBytes: 4 * 1024 * 1024, ...options }, SOCK.NONBLOCK);
  const reader = Bun.file(fd).stream().getReader();
  let open = true;
  return {
    async read() {
      if (!open) return undefined;
      const { value } = await reader.read();
      return value;
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
