/** The contract over unix sockets, against the real server. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { decodeNetworkQuestion, decodePolicyQuestion, type NodeRequest } from '@canal/agent-protocol';
import { createSystemClock } from '@canal/telemetry';
import { createCapturedLogger, waitFor } from '@canal/testing';
import type { AgentName } from './node-api.ts';
import { createNodeApi } from './node-client.ts';
import { serveSocket } from './socket-server.ts';
import { describeNodeApi } from './testing/node-api-contract.ts';
import { handlerOf } from './testing/script-handler.ts';
import { unixTransport } from './unix-transport.ts';

describeNodeApi('over unix sockets', () => {
  const directory = mkdtempSync(join(tmpdir(), 'canal-contract-'));
  const stops = new Map<string, () => Promise<void>>();
  const socketOf = (node: string, agent: AgentName) => join(directory, node, `${agent}.sock`);
  return Promise.resolve({
    api: createNodeApi(unixTransport((node, agent) => (node === 'nobody' ? undefined : socketOf(node, agent)))),
    serve: async (node, agent, script) => {
      const path = socketOf(node, agent);
      const stop = new AbortController();
      const log = createCapturedLogger();
      const serving = serveSocket<NodeRequest>(
        {
          path,
          words: { flag: '--socket', agent, served: 'answering', loss: 'Nobody is answered', event: 'NotServed' },
          decode: (line) => {
            const question = decodeNetworkQuestion(line);
            return question.ok ? question : decodePolicyQuestion(line);
          },
          isFollowed: (request) => request.op === 'flows' && request.follow,
          handle: handlerOf(script),
          peerUid: () => 0,
          clock: createSystemClock(),
          log,
          problems: { update: () => undefined },
          onRequest: () => undefined,
        },
        stop.signal,
      );
      stops.set(path, async () => {
        stop.abort();
        await serving;
      });
      await waitFor('the socket', () => log.messages('info').length > 0);
    },
    close: async (node, agent) => {
      await stops.get(socketOf(node, agent))?.();
    },
    garble: (node, agent) => {
      const unix = socketOf(node, agent);
      mkdirSync(dirname(unix), { recursive: true });
      const refuse = (socket: Bun.Socket): void => {
        socket.end('HTTP/1.1 400 Bad Request\r\n');
      };
      const listener = Bun.listen({ unix, socket: { data: refuse } });
      stops.set(unix, () => Promise.resolve().then(() => listener.stop(true)));
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      for (const stop of stops.values()) await stop();
      rmSync(directory, { recursive: true });
    },
  });
});
