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
  /** While on, nobody listens: connections are refused. Those that there are go on. */
  refuse(on: boolean): Promise<void>;
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
  await listening(server, 0);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
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
    refuse: async (on) => {
      // Its callback waits for the connections that there are.
      if (on) server.close();
      else await listening(server, port);
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

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
