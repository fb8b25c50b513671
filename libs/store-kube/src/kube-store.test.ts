import { createFakeClock } from '@canal/testing';
import { isRetriable, NODES } from '@canal/store-port';
import { expect, test } from 'vitest';

import { fixedCredentials } from './connection.ts';
import { createKubeStore } from './kube-store.ts';

test.each([
  { what: 'is cut', length: 100, body: '{"metadata":' },
  { what: 'is no JSON', length: 5, body: '<html' },
])('an answer that $what is a failure that another try may cure', async ({ length, body }) => {
  using server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data: (socket) => {
        socket.write(
          `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${String(length)}\r\n\r\n${body}`,
        );
        socket.end();
      },
    },
  });
  const baseUrl = `http://127.0.0.1:${String(server.port)}`;
  const store = createKubeStore({
    connection: { baseUrl, credentials: fixedCredentials({}) },
    clock: createFakeClock(),
  });
  const error: unknown = await store.mergePatch(NODES, 'a', {}).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'StoreError', code: 'unavailable' });
  expect(isRetriable(error)).toBe(true);
});
