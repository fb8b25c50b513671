import { type NetlinkConnection, NLM_F, NLMSG } from 'netlink-ts';
import { expect, test } from 'vitest';
import { openKnownConnection } from './netlink-connection.ts';
import { openNetlinkSocket } from './netlink-socket.ts';

/** The connection's port: to whom the kernel answers. */
function portOf(connection: NetlinkConnection, flags: number = NLM_F.ACK): number {
  let port = 0;
  connection.exchange(
    'nothing',
    (writer, nextSequence) => {
      writer.endMessage(writer.beginMessage(NLMSG.NOOP, NLM_F.REQUEST | flags, nextSequence()));
    },
    ({ portId }) => {
      port = portId;
      return true;
    },
  );
  return port;
}

test('a connection knows the port that it has and the one before; one further back may be another program’s', () => {
  const { connection, isOwnPort } = openKnownConnection({ timeoutMs: 20 });
  using stack = new DisposableStack();
  stack.use(connection);
  const ports = [0, 1, 2].map(() => {
    const port = portOf(connection);
    expect(port).not.toBe(0);
    expect(isOwnPort(port)).toBe(true);
    // Without an answer the socket is given up.
    expect(() => portOf(connection, 0)).toThrow('ETIMEDOUT');
    // Its port would be the next one's too, if nobody took it.
    stack.use(openNetlinkSocket());
    return port;
  });
  const last = portOf(connection);
  expect([...ports, last].map(isOwnPort)).toEqual([false, false, true, true]);
  expect(new Set([...ports, last]).size).toBe(4);
  expect(isOwnPort(0)).toBe(false);
});
