import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay in front of a server, whose connections can be cut, or held without a word. */
export interface FaultyProxy {
  readonly port: number;
  /** Connections that were relayed so far. */
  readonly connections: number;
  /** Resets every connection there is. */
  cut(): void;
  /** While on, nothing is relayed in either direction, and nothing is closed: the other end seems to have vanished. */
  silence(on: boolean): void;
  close(): Promise<void>;
}

export async function createFaultyProxy(targetPort: number): Promise<FaultyProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const state = { silent: false, connections: 0 };
  const server = createServer((client) => {
    state.connections += 1;
    const upstream = connect(targetPort, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    relay(client, upstream);
    relay(upstream, client);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) {
      socket.on('error', end);
      socket.on('close', () => {
        // What vanished does not say so.
        if (!state.silent) end();
      });
    }
  });
  const relay = (from: Socket, to: Socket): void => {
    from.on('data', (bytes) => {
      if (!state.silent) to.write(bytes);
    });
  };
  await listening(server);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get connections() {
      return state.connections;
    },
    cut: () => {
      for (const [client, upstream] of pairs) {
        client.resetAndDestroy();
        upstream.destroy();
      }
      pairs.clear();
    },
    silence: (on) => {
      state.silent = on;
    },
    close: () =>
      new Promise((resolve) => {
        for (const pair of pairs) for (const socket of pair) socket.destroy();
        server.close(() => {
          resolve();
        });
      }),
  };
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
}
