/** The least of an HTTP/1.1 client over TLS: a load generator must not be slower than what it measures. */

export interface ClientTarget {
  readonly hostname: string;
  readonly port: number;
  readonly ca: string;
}

/** One connection, one request at a time. */
export interface LoadConnection {
  /** Resolves with the status when the whole answer is there. Rejects when the connection ends before. */
  ask(head: string): Promise<number>;
  end(): void;
}

interface Waiting {
  readonly resolve: (status: number) => void;
  readonly reject: (error: Error) => void;
}

export async function openLoadConnection({ hostname, port, ca }: ClientTarget): Promise<LoadConnection> {
  let waiting: Waiting | undefined;
  let received: Buffer = Buffer.alloc(0);
  const settle = (): void => {
    const end = received.indexOf('\r\n\r\n');
    if (end < 0 || waiting === undefined) return;
    const head = received.toString('latin1', 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (received.length < end + 4 + length) return;
    received = received.subarray(end + 4 + length);
    const { resolve } = waiting;
    waiting = undefined;
    resolve(Number(head.slice(9, 12)));
  };
  const over = (): void => {
    waiting?.reject(new Error('the connection has ended'));
    waiting = undefined;
  };
  const secured = Promise.withResolvers<undefined>();
  const socket = await Bun.connect({
    hostname,
    port,
    tls: { ca, serverName: 'localhost' },
    socket: {
      handshake: (_socket, success) =>
        success ? secured.resolve(undefined) : secured.reject(new Error('no handshake')),
      data(_socket, chunk) {
        received = received.length === 0 ? Buffer.from(chunk) : Buffer.concat([received, chunk]);
        settle();
      },
      close: over,
      error: over,
    },
  });
  await secured.promise;
  return {
    ask: (head) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(head);
      }),
    end: () => socket.end(),
  };
}

/** An event stream; gives how many events have come. */
export async function openEventStream(
  { hostname, port, ca }: ClientTarget,
  head: string,
): Promise<{ readonly events: () => number; readonly isOpen: () => boolean; readonly end: () => void }> {
  let [events, open] = [0, true];
  const socket = await Bun.connect({
    hostname,
    port,
    tls: { ca, serverName: 'localhost' },
    socket: {
      handshake: (opened) => void opened.write(head),
      data: (_socket, chunk) => {
        // An event that two chunks share is not worth being counted twice.
        for (let at = chunk.indexOf('\nevent: '); at >= 0; at = chunk.indexOf('\nevent: ', at + 1)) events++;
      },
      close: () => {
        open = false;
      },
      error: () => undefined,
    },
  });
  return { events: () => events, isOpen: () => open, end: () => socket.end() };
}

/** Seconds until the server ends a connection that says nothing, or half of something. */
export async function secondsUntilCut(target: ClientTarget, how: 'no handshake' | 'half a head'): Promise<number> {
  const { hostname, port, ca } = target;
  const started = performance.now();
  const cut = Promise.withResolvers<number>();
  const over = (): void => cut.resolve((performance.now() - started) / 1000);
  const socket = { data: () => undefined, close: over, error: () => undefined };
  if (how === 'no handshake') await Bun.connect({ hostname, port, socket });
  else {
    await Bun.connect({
      hostname,
      port,
      tls: { ca, serverName: 'localhost' },
      socket: { ...socket, handshake: (opened) => void opened.write('GET /v1/nodes HTTP/1.1\r\nHost: ') },
    });
  }
  return await cut.promise;
}
