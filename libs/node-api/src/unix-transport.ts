/** Agents on this machine, each on its unix socket: the lab's. */
import { createConnection } from 'node:net';
import type { AgentName } from './node-api.ts';
import { NodeApiError } from './node-api.ts';
import type { NodeTransport } from './node-client.ts';

export function unixTransport(socketOf: (node: string, agent: AgentName) => string | undefined): NodeTransport {
  return {
    hasHeartbeats: false,
    async ask(node, agent, line, signal) {
      const path = socketOf(node, agent);
      if (path === undefined) throw new NodeApiError('unreachable', `node ${node}: no socket of ${agent} is known`);
      const socket = createConnection({ path });
      const abort = (): void => void socket.destroy();
      signal.addEventListener('abort', abort, { once: true });
      socket.once('close', () => signal.removeEventListener('abort', abort));
      const connected = Promise.withResolvers<undefined>();
      socket.once('connect', () => connected.resolve(undefined));
      socket.on('error', (error: Error) =>
        connected.reject(new NodeApiError('unreachable', `${path}: ${error.message}`)),
      );
      socket.once('close', () =>
        connected.reject(new NodeApiError('unreachable', `${path}: the connection was closed`)),
      );
      await connected.promise;
      socket.write(line);
      return socket;
    },
  };
}
