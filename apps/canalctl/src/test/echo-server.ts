/**
 * The servers of the self-test in one pod: TCP greets and gives every byte back, UDP answers each datagram with the
 * greeting. They listen on the pod's addresses one by one: a wildcard UDP socket answers from the address that the route
 * prefers.
 */
import { withNetns } from '@canal/linux-ffi';
import { formatIp, parseIp } from 'net-types';
import type { DialPlace } from './dial.ts';
import { formatGreeting } from './greeting.ts';

export const TEST_PORT = 8080;

/** More than a client of ours leaves unread. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

export interface EchoServer {
  close(): void;
}

/** Throws when an address or the port cannot be had. */
export async function serveEcho(
  pod: string,
  addresses: readonly string[],
  { netns }: DialPlace = {},
): Promise<EchoServer> {
  const listeners: { stop(force: true): void }[] = [];
  const datagrams: Bun.udp.Socket<'buffer'>[] = [];
  const close = (): void => {
    for (const listener of listeners) listener.stop(true);
    for (const socket of datagrams) socket.close();
  };
  try {
    for (const hostname of addresses) {
      // A datagram socket is bound before Bun.udpSocket returns; only the word of it comes later.
      const begin = (): { opening: Promise<Bun.udp.Socket<'buffer'>> } => {
        listeners.push(listenTcp(pod, hostname));
        return { opening: openDatagrams(pod, hostname) };
      };
      const { opening } = netns === undefined ? begin() : withNetns(netns, begin);
      datagrams.push(await opening);
    }
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}

function listenTcp(pod: string, hostname: string): { stop(force: true): void } {
  return Bun.listen<Outgoing>({
    hostname,
    port: TEST_PORT,
    socket: {
      open: (socket) => {
        socket.data = new Outgoing();
        const seen = plainAddress(socket.remoteAddress);
        socket.data.add(socket, Buffer.from(formatGreeting({ pod, seen, bytes: 0 })));
      },
      data: (socket, bytes) => socket.data.add(socket, bytes),
      drain: (socket) => socket.data.flush(socket),
      error: (socket) => {
        socket.terminate();
      },
    },
  });
}

/** What the kernel has not taken yet. */
class Outgoing {
  #waiting: Buffer = Buffer.alloc(0);

  add(socket: Bun.Socket<Outgoing>, bytes: Buffer): void {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    if (this.#waiting.length > MAX_UNSENT_BYTES) socket.terminate();
    else this.flush(socket);
  }

  flush(socket: Bun.Socket<Outgoing>): void {
    while (this.#waiting.length > 0) {
      const taken = socket.write(this.#waiting);
      if (taken <= 0) return;
      this.#waiting = this.#waiting.subarray(taken);
    }
  }
}

async function openDatagrams(pod: string, hostname: string): Promise<Bun.udp.Socket<'buffer'>> {
  return await Bun.udpSocket({
    hostname,
    port: TEST_PORT,
    socket: {
      data: (socket, bytes, port, address) =>
        void socket.send(formatGreeting({ pod, seen: plainAddress(address), bytes: bytes.length }), port, address),
      // A client that had its answer is gone when the next one comes.
      error: () => undefined,
    },
  });
}

/** As canalctl writes addresses. */
function plainAddress(text: string): string {
  const parsed = parseIp(text);
  return parsed.ok ? formatIp(parsed.value) : text;
}
