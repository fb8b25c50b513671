import { connect as connectTcp, type Socket } from 'node:net';
import * as tls from 'node:tls';
import { decodeNetworkQuestion, type NodeRequest } from '@canal/agent-protocol';
import { createCertificateAuthority } from '@canal/certificate';
import { createCapturedLogger, createFakeClock, type FakeClock, waitFor } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RequestHandler } from './request-handler.ts';
import { serveNodeApi } from './tls-server.ts';
import { startTlsNode, type TlsNode, type TlsNodeOptions } from './testing/tls-node.ts';

let clock: FakeClock;
let node: TlsNode;
const sockets: Socket[] = [];

beforeEach(() => {
  clock = createFakeClock();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await node.stop();
});

const echo: RequestHandler<NodeRequest> = (request, connection) => {
  connection.send({ ok: true, value: request.op });
  return Promise.resolve();
};

async function start(handle = echo, change: Partial<TlsNodeOptions> = {}): Promise<void> {
  node = await startTlsNode({ name: 'node-a', handle, clock, ...change });
}

interface TestClient {
  readonly socket: Socket;
  readonly closed: Promise<string>;
  readonly got: () => string;
}

function watched(socket: Socket): TestClient {
  sockets.push(socket);
  let got = '';
  socket.on('data', (bytes) => (got += bytes.toString()));
  socket.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(got)));
  return { socket, closed, got: () => got };
}

/** `allowHalfOpen`: it keeps its half when the server has closed the other. */
function connectTls(host: string, allowHalfOpen = false): Socket {
  const options = { port: node.port, host, ca: node.authority, servername: 'node-a', allowHalfOpen };
  return tls.connect(options) as Socket;
}

async function connect(text = ''): Promise<TestClient> {
  const socket = connectTls('127.0.0.1');
  const client = watched(socket);
  await new Promise((resolve) => {
    socket.once('secureConnect', resolve);
    socket.once('close', resolve);
  });
  if (text !== '') socket.write(text);
  return client;
}

function question(body: string, token = 'good'): string {
  return (
    `POST /v1/ask HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

const PEERS = question('{"op":"peers"}');

test('an answer in lines, and then the end of the connection', async () => {
  await start();
  const answer = await (await connect(PEERS)).closed;
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: application\/x-ndjson\r\n/);
  expect(answer).toContain('{"ok":true,"value":"peers"}\n\r\n0\r\n\r\n');
  expect(node.outcomes).toEqual(['peers ok']);
  // That of the server's own is none: nothing of the connection is left behind.
  await waitFor('the end of its timers', () => clock.sleeping === 0);
});

test.each([
  { name: 'no token', text: 'POST /v1/ask HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}', status: 401 },
  { name: 'a token of others', text: question('{"op":"peers"}', 'other'), status: 401 },
  { name: 'another path', text: 'POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n', status: 404 },
  { name: 'another method', text: 'GET /v1/ask HTTP/1.1\r\n\r\n', status: 405 },
  { name: 'too much', text: 'POST /v1/ask HTTP/1.1\r\nContent-Length: 99999\r\n\r\n', status: 413 },
])('$name is answered with $status', async ({ text, status }) => {
  let handled = 0;
  await start(() => {
    handled++;
    return Promise.resolve();
  });
  expect(await (await connect(text)).closed).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
  expect(handled).toBe(0);
});

test.each([
  ['an endpoint to add', '{"op":"delete-endpoint","key":"c1/eth0"}', 'nothing is changed here'],
  ['no JSON', '{', 'not JSON'],
])('%s is a bad request', async (_name, body, says) => {
  await start();
  const answer = await (await connect(question(body))).closed;
  expect(answer).toContain('"code":"bad-request"');
  expect(answer).toContain(says);
  expect(node.outcomes).toEqual(['none bad-request']);
});

test('a handler that fails answers so', async () => {
  await start(() => Promise.reject(new Error('broken')));
  expect(await (await connect(PEERS)).closed).toContain('{"ok":false,"code":"internal","message":"broken"}');
  expect(node.log.messages('error')).toEqual(['a request of the node API failed']);
});

/** Bun closes none of these by itself: with the limits taken out, each of them stays. */
test.each([
  { name: 'says nothing at all', begin: () => Promise.resolve(watched(connectTcp(node.port, '127.0.0.1'))) },
  {
    name: 'sends half a handshake',
    begin: () => {
      const socket = connectTcp(node.port, '127.0.0.1');
      socket.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1));
      return Promise.resolve(watched(socket));
    },
  },
  { name: 'says nothing after the handshake', begin: () => connect() },
  { name: 'sends half a head', begin: () => connect(PEERS.slice(0, 30)) },
  { name: 'sends half a body', begin: () => connect(PEERS.slice(0, -3)) },
])('a client that $name is let go after five seconds, and others are answered meanwhile', async ({ begin }) => {
  await start();
  const client = await begin();
  await waitFor('its timer', () => clock.sleeping === 1);
  expect(await (await connect(PEERS)).closed).toContain('"peers"');
  await waitFor('its timer alone', () => clock.sleeping === 1);
  await clock.advance(4_900);
  let isClosed = false;
  void client.closed.then(() => (isClosed = true));
  expect(await (await connect(PEERS)).closed).toContain('"peers"');
  expect(isClosed).toBe(false);
  await clock.advance(200);
  await client.closed;
});

test.each([
  ['answered', PEERS],
  ['refused', question('{}', 'other')],
])('a client that was %s and holds its half is let go after five seconds', async (_name, text) => {
  await start();
  const holder = watched(connectTls('127.0.0.1', true));
  const ended = new Promise((resolve) => holder.socket.once('end', resolve));
  holder.socket.write(text);
  await ended;
  expect(holder.got()).toContain('HTTP/1.1');
  await waitFor('its timer', () => clock.sleeping > 0);
  await clock.advance(5_100);
  await waitFor('the end of its timers', () => clock.sleeping === 0);
  // Writing finds out that nobody is there.
  const writing = setInterval(() => holder.socket.write('x'), 10);
  await holder.closed.finally(() => clearInterval(writing));
});

test('what is no TLS is closed at once', async () => {
  await start();
  const socket = connectTcp(node.port, '127.0.0.1');
  const client = watched(socket);
  socket.write(PEERS);
  expect(await client.closed).not.toContain('200');
});

test('a client that does not read: no more than a bound waits for it, and it is let go', async () => {
  const value = 'x'.repeat(100_000);
  let taken = 0;
  await start(async (_request, connection) => {
    while (!connection.signal.aborted) {
      if (connection.send({ ok: true, value })) taken++;
      else await connection.drained();
    }
  });
  const slow = await connect();
  slow.socket.pause();
  slow.socket.write(PEERS);
  await waitFor('the bound', () => taken > 10 && clock.sleeping === 2);
  const before = taken;
  // What the kernel holds for it, and a megabyte.
  expect(before).toBeLessThan(200);
  await clock.advance(5_100);
  await waitFor('its end', () => clock.sleeping === 0);
  expect(taken).toBe(before);
});

test('a client that reads slowly gets everything', async () => {
  const value = 'x'.repeat(100_000);
  await start(async (_request, connection) => {
    for (let count = 0; count < 100; count++) {
      while (!connection.signal.aborted && !connection.send({ ok: true, value })) await connection.drained();
    }
  });
  const slow = await connect();
  slow.socket.pause();
  slow.socket.write(PEERS);
  await Bun.sleep(50);
  slow.socket.resume();
  const answer = await slow.closed;
  expect(answer.split(value)).toHaveLength(101);
  expect(answer.endsWith('0\r\n\r\n')).toBe(true);
});

test('to a follower something is said every ten seconds, and its end is noticed', async () => {
  let gone = false;
  await start(async (_request, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    gone = true;
  });
  const follower = await connect(question('{"op":"flows","follow":true}'));
  await waitFor('the start of the answer', () => follower.got().endsWith('\r\n\r\n'));
  await waitFor('its heart', () => clock.sleeping === 1);
  await clock.advance(10_000);
  await waitFor('a heartbeat', () => follower.got().endsWith('1\r\n\n\r\n'));
  expect(gone).toBe(false);
  follower.socket.destroy();
  await waitFor('its end', () => gone);
  await waitFor('the end of its timers', () => clock.sleeping === 0);
});

test('strangers of one address take no more than their places, and leave those of others alone', async () => {
  await start();
  const strangers = Array.from({ length: 64 }, () => watched(connectTcp(node.port, '127.0.0.1')));
  await waitFor('all of them', () => clock.sleeping === 64);
  // One more of them is closed at once; another address is answered.
  await watched(connectTcp(node.port, '127.0.0.1')).closed;
  const socket = connectTls('::1');
  const other = watched(socket);
  socket.write(PEERS);
  expect(await other.closed).toContain('"peers"');
  await clock.advance(5_100);
  await Promise.all(strangers.map(({ closed }) => closed));
  expect(await (await connect(PEERS)).closed).toContain('"peers"');
});

test('those who have shown their token are no strangers: more of them are let in, up to a bound', async () => {
  const gone: boolean[] = [];
  await start(async (_request, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    gone.push(true);
  });
  const followers: TestClient[] = [];
  for (let count = 0; count < 256; count++) {
    const follower = await connect(PEERS);
    followers.push(follower);
    await waitFor('its answer', () => follower.got() !== '');
  }
  await watched(connectTcp(node.port, '127.0.0.1')).closed;
  followers[0]?.socket.destroy();
  await waitFor('its end', () => gone.length === 1);
  const next = await connect(PEERS);
  await waitFor('the place', () => next.got() !== '');
}, 30_000);

test('a port that is taken is a problem that names it, and is served when it is free', async () => {
  await start();
  const open: string[][] = [];
  const stop = new AbortController();
  const log = createCapturedLogger();
  const serving = serveNodeApi(
    {
      port: node.port,
      certificate: createCertificateAuthority().issueServer({ hosts: ['node-b'] }),
      decode: decodeNetworkQuestion,
      handle: (request, connection) => echo(request, connection),
      authenticate: () => Promise.resolve(true),
      clock,
      log,
      problems: { update: (_source, complaints) => void open.push(complaints.map(({ message }) => message)) },
      onRequest: () => undefined,
    },
    stop.signal,
  );
  try {
    expect(open).toEqual([[expect.stringContaining(`--node-api-port ${node.port}: `)]]);
    await node.stop();
    await clock.advance(2_000);
    await waitFor('it', () => open.length > 1);
    expect(open.at(-1)).toEqual([]);
    expect(log.messages('info')).toEqual(['answering the admin API']);
  } finally {
    stop.abort();
    await serving;
  }
});
