import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type AgentRequest, decodeRequest, encodeRequest, MAX_REQUEST_BYTES } from '@canal/agent-protocol';
import { connectUnixStream } from '@canal/linux-ffi';
import type { Complaint } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock, waitFor } from '@canal/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RequestHandler } from './request-handler.ts';
import { serveSocket, type SocketServerDeps } from './socket-server.ts';

const WORDS = {
  flag: '--socket',
  agent: 'policy agent',
  served: 'answering',
  loss: 'Nobody is answered meanwhile',
  event: 'SocketNotServed',
};
const SAID = {
  words: WORDS,
  decode: decodeRequest,
  isFollowed: (request: AgentRequest) => request.op === 'flows' && request.follow,
};

let directory: string;
let path: string;
let stop: AbortController;
let serving: Promise<void>;
const clock = createFakeClock();
const outcomes: string[] = [];
/** What is wrong now. */
let open: readonly string[] = [];
const problems = {
  update: (_: string, complaints: readonly Complaint[]) => void (open = complaints.map(({ message }) => message)),
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-socket-'));
  path = join(directory, 'run', 'policy.sock');
  stop = new AbortController();
  outcomes.length = 0;
  open = [];
});

afterEach(async () => {
  stop.abort();
  await serving;
  rmSync(directory, { recursive: true });
});

const echo: RequestHandler<AgentRequest> = (request, connection) => {
  connection.send({ ok: true, value: request.op });
  return Promise.resolve();
};

async function serve(handle: RequestHandler<AgentRequest>, change: Partial<SocketServerDeps<AgentRequest>> = {}) {
  const log = createCapturedLogger();
  const onRequest = (op: string, outcome: string) => outcomes.push(`${op} ${outcome}`);
  serving = serveSocket(
    { ...SAID, path, handle, peerUid: () => 0, clock, log, problems, onRequest, ...change },
    stop.signal,
  );
  await waitFor('the socket', () => existsSync(path));
  return log;
}

interface TestClient {
  readonly socket: Socket;
  readonly closed: Promise<string>;
  /** The server says no more. */
  readonly ended: Promise<unknown>;
}

/** `closed` resolves with everything that came. `holds`: it keeps its half open when the server has closed the other. */
function connect(text = '', holds = false): TestClient {
  const socket = createConnection({ path, allowHalfOpen: holds });
  let got = '';
  socket.on('data', (bytes) => (got += bytes.toString()));
  const closed = new Promise<string>((resolve) => {
    socket.on('close', () => resolve(got));
    socket.on('error', () => undefined);
  });
  const ended = new Promise((resolve) => socket.on('end', () => resolve(undefined)));
  if (text !== '') socket.write(text);
  return { socket, closed, ended };
}

const STATUS = encodeRequest({ op: 'status' });

test('root’s alone: directory 0700, socket 0600; one answer a connection', async () => {
  await serve(echo);
  expect(statSync(join(directory, 'run')).mode & 0o777).toBe(0o700);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await connect(STATUS + STATUS).closed).toBe('{"ok":true,"value":"status"}\n');
  expect(outcomes).toEqual(['status ok']);
});

test('another user is refused, whatever the file’s mode was', async () => {
  const log = await serve(echo, { peerUid: () => 1000 });
  expect(await connect(STATUS).closed).toContain('"code":"bad-request"');
  expect(log.messages('warn')).toEqual(['a user other than root connected']);
});

test('who asks cannot be told: nobody is heard', async () => {
  let heard = 0;
  const handle: RequestHandler<AgentRequest> = (request, connection) => {
    heard++;
    return echo(request, connection);
  };
  let asked = 0;
  const peerUid = () => {
    asked++;
    throw new Error('EBADF');
  };
  const log = await serve(handle, { peerUid });
  expect(await connect(STATUS).closed).toBe('');
  expect([asked, heard, outcomes]).toEqual([1, 0, []]);
  expect(log.messages('warn')).toEqual(['a connection failed']);
});

test('a connection that something fails on is ended, not forgotten', async () => {
  const log = await serve(echo, {
    onRequest: () => {
      throw new Error('broken');
    },
  });
  await connect('hello\n').closed;
  expect(log.messages('warn')).toEqual(['a connection failed']);
  // Nothing of it is left behind.
  await waitFor('its timers’ end', () => clock.sleeping === 1);
});

test('what a killed agent left is replaced', async () => {
  await serve(echo);
  stop.abort();
  await serving;
  // Its name, with nobody behind it.
  expect(statSync(path).isSocket()).toBe(true);
  stop = new AbortController();
  await serve(echo);
  await waitFor('an answer', async () => (await connect(STATUS).closed) !== '');
});

test('a request in pieces, and a client that closes its half', async () => {
  await serve(echo);
  const client = connect(STATUS.slice(0, 5));
  await Bun.sleep(20);
  client.socket.end(STATUS.slice(5));
  expect(await client.closed).toBe('{"ok":true,"value":"status"}\n');
});

test('a client that goes without waiting for the answer is heard', async () => {
  let heard = 0;
  await serve(() => {
    heard++;
    return Promise.resolve();
  });
  for (let count = 0; count < 50; count++) {
    using stream = connectUnixStream(path, 1_000);
    stream.send(new TextEncoder().encode(STATUS));
  }
  await waitFor('all of them', () => heard === 50);
});

test('half a request and then the end', async () => {
  await serve(echo);
  const client = connect(STATUS.slice(0, 5));
  client.socket.end();
  expect(await client.closed).toBe('');
});

test.each([
  { name: 'longer than the limit', text: 'x'.repeat(MAX_REQUEST_BYTES + 1), says: 'longer than' },
  { name: 'no JSON', text: 'hello\n', says: 'not JSON' },
  { name: 'an op of nobody', text: '{"op":"format"}\n', says: 'add-endpoint' },
])('$name', async ({ text, says }) => {
  await serve(echo);
  const answer = await connect(text).closed;
  expect(answer).toContain('"code":"bad-request"');
  expect(answer).toContain(says);
});

test('a silent client is let go after five seconds, and does not keep others waiting', async () => {
  await serve(echo);
  const silent = connect();
  // Beside that of the server itself.
  await waitFor('its timer', () => clock.sleeping === 2);
  expect(await connect(STATUS).closed).not.toBe('');
  await clock.advance(4_900);
  let ended = false;
  void silent.closed.then(() => (ended = true));
  await Bun.sleep(30);
  expect(ended).toBe(false);
  await clock.advance(200);
  expect(await silent.closed).toBe('');
});

test('a client that does not read: answers beyond a bound are left out, others are served, and it is let go', async () => {
  const value = 'x'.repeat(100_000);
  let taken = 0;
  await serve((request, connection) => {
    if (request.op === 'policies') while (connection.send({ ok: true, value })) taken++;
    else connection.send({ ok: true, value: request.op });
    return Promise.resolve();
  });
  const slow = connect(encodeRequest({ op: 'policies' }));
  slow.socket.pause();
  await waitFor('the bound', () => outcomes.includes('policies ok'));
  expect(taken).toBeLessThan(30);
  expect(await connect(STATUS).closed).not.toBe('');
  await clock.advance(5_100);
  slow.socket.resume();
  expect((await slow.closed).length).toBeLessThan(taken * value.length);
});

test('a handler that waits for its client gets everything across', async () => {
  const value = 'x'.repeat(100_000);
  await serve(async (_request, connection) => {
    for (let count = 0; count < 50; count++) {
      while (!connection.signal.aborted && !connection.send({ ok: true, value })) await connection.drained();
    }
  });
  const slow = connect(STATUS);
  slow.socket.pause();
  await Bun.sleep(50);
  slow.socket.resume();
  expect((await slow.closed).split('\n').filter((line) => line.length > value.length)).toHaveLength(50);
});

test('however often a handler waits for its client, no listener and no timer of it is left', async () => {
  const value = 'x'.repeat(1_000_000);
  let [waits, listeners, timers] = [0, 0, 0];
  await serve(async (_request, { signal, send, drained }) => {
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    const before = clock.sleeping;
    for (let count = 0; count < 50; count++) {
      while (!signal.aborted && !send({ ok: true, value })) {
        waits++;
        await drained();
      }
    }
    listeners = add.mock.calls.length - remove.mock.calls.length;
    timers = clock.sleeping - before;
  });
  const answers = (await connect(STATUS).closed).split('\n').filter((line) => line.length > value.length);
  expect(answers).toHaveLength(50);
  expect(waits).toBeGreaterThan(10);
  expect([listeners, timers]).toEqual([0, 0]);
});

test('a client that never reads does not hold such a handler for ever', async () => {
  const value = 'x'.repeat(100_000);
  let [waits, ended] = [false, false];
  await serve(async (_request, connection) => {
    while (!connection.signal.aborted) {
      if (connection.send({ ok: true, value })) continue;
      waits = true;
      await connection.drained();
    }
    ended = true;
  });
  const slow = connect(STATUS);
  slow.socket.pause();
  await waitFor('its wait', () => waits);
  await clock.advance(5_100);
  await waitFor('its end', () => ended);
  slow.socket.resume();
  await slow.closed;
});

test('a handler that fails answers so', async () => {
  const log = await serve(() => Promise.reject(new Error('broken')));
  expect(await connect(STATUS).closed).toBe('{"ok":false,"code":"internal","message":"broken"}\n');
  expect(log.messages('error')).toEqual(['a request failed']);
});

test('a follower that goes away is noticed though nothing is written to it', async () => {
  let gone = false;
  await serve(async (_request, connection) => {
    await new Promise<void>((resolve) => {
      connection.signal.addEventListener('abort', () => resolve());
    });
    gone = true;
  });
  const follower = connect(encodeRequest({ op: 'flows', follow: true, last: 0, denied: false }));
  await Bun.sleep(50);
  expect(gone).toBe(false);
  follower.socket.destroy();
  await waitFor('its end', () => gone);
});

describe('more clients than may be there at once, none of which goes by itself', () => {
  const [BATCHES, BATCH] = [11, 100];

  /** In parts: no more can wait to be accepted than the listener's backlog. */
  async function connectAll(text: string, done: (clients: readonly TestClient[]) => Promise<unknown>) {
    const all: TestClient[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const clients = Array.from({ length: BATCH }, () => connect(text, true));
      all.push(...clients);
      await done(clients);
    }
    return all;
  }

  const ended = (clients: readonly TestClient[]) => Promise.all(clients.map((client) => client.ended));

  test('they were answered: others are, too', async () => {
    await serve(echo);
    const clients = await connectAll(STATUS, ended);
    expect(await connect(STATUS).closed).toContain('"ok":true');
    for (const { socket } of clients) socket.destroy();
    const answers = await Promise.all(clients.map(({ closed }) => closed));
    expect(answers.filter((answer) => answer.includes('"ok":true'))).toHaveLength(BATCHES * BATCH);
  });

  test('they half close when they have asked: they are answered, and so are others', async () => {
    await serve(echo);
    const clients = await connectAll(STATUS, (batch) => {
      for (const { socket } of batch) socket.end();
      return ended(batch);
    });
    expect(await connect(STATUS).closed).toContain('"ok":true');
    const answers = await Promise.all(clients.map(({ closed }) => closed));
    expect(answers.filter((answer) => answer.includes('"ok":true'))).toHaveLength(BATCHES * BATCH);
  });

  test('they half close before they have asked: others are served', async () => {
    await serve(echo);
    await connectAll(STATUS.slice(0, 5), (batch) => {
      for (const { socket } of batch) socket.end();
      return ended(batch);
    });
    expect(await connect(STATUS).closed).toContain('"ok":true');
  });

  test('they say nothing: others are refused until their time is over', async () => {
    await serve(echo);
    let count = 1;
    const clients = await connectAll('', async (batch) => {
      count += batch.length;
      await waitFor('their timers', () => clock.sleeping === count);
    });
    expect(await connect(STATUS).closed).toContain('too many connections at once');
    await clock.advance(5_100);
    await ended(clients);
    expect(await connect(STATUS).closed).toContain('"ok":true');
  });
});

test('500 at once are answered', async () => {
  await serve(echo);
  const clients = Array.from({ length: 500 }, () => connect(STATUS));
  const answers = await Promise.all(clients.map(({ closed }) => closed));
  expect(answers.filter((answer) => answer.includes('"ok":true'))).toHaveLength(500);
});

test('a second agent does not take the socket of one that answers, and has it when that one ends', async () => {
  await serve(echo);
  const log = createCapturedLogger();
  const second = new AbortController();
  const handle: RequestHandler<AgentRequest> = (_, connection) => {
    connection.send({ ok: true, value: 'second' });
    return Promise.resolve();
  };
  const deps = { ...SAID, path, handle, peerUid: () => 0, clock, log, problems, onRequest: () => undefined };
  const running = serveSocket(deps, second.signal);
  try {
    await waitFor('its complaint', () => open.length > 0);
    expect(open).toEqual([expect.stringContaining(`--socket ${path}: another policy agent answers there`)]);
    expect(await connect(STATUS).closed).toContain('"status"');
    stop.abort();
    await serving;
    await clock.advance(1_000);
    expect(await connect(STATUS).closed).toContain('"second"');
  } finally {
    second.abort();
    await running;
  }
});

describe('a path that cannot be had is a problem that names it, and is served when it can be had', () => {
  test.each([
    { name: 'a directory', make: () => mkdirSync(path, { recursive: true }), says: 'a directory is there' },
    { name: 'a regular file', make: () => writeFileSync(path, 'precious'), says: 'a file that is no socket is there' },
  ])('$name', async ({ make, says }) => {
    mkdirSync(dirname(path), { recursive: true });
    make();
    const before = readdirSync(dirname(path));
    const deps = { ...SAID, path, handle: echo, peerUid: () => 0, clock, log: createCapturedLogger(), problems };
    serving = serveSocket({ ...deps, onRequest: () => undefined }, stop.signal);
    await waitFor('the problem', () => open.length > 0);
    expect(open[0]).toContain(`--socket ${path}: ${says}: expected a socket or nothing`);
    expect(readdirSync(dirname(path))).toEqual(before);
    rmSync(path, { recursive: true });
    await clock.advance(1_000);
    expect(open).toEqual([]);
    expect(await connect(STATUS).closed).toContain('"ok":true');
  });

  test('its directory is a file', async () => {
    writeFileSync(dirname(path), '');
    const deps = { ...SAID, path, handle: echo, peerUid: () => 0, clock, log: createCapturedLogger(), problems };
    serving = serveSocket({ ...deps, onRequest: () => undefined }, stop.signal);
    await waitFor('the problem', () => open.length > 0);
    expect(open[0]).toContain(`--socket ${path}: `);
  });
});

test.each([
  { name: 'deleted', spoil: () => rmSync(path) },
  { name: 'replaced', spoil: () => (rmSync(path), writeFileSync(path, ''), setTimeout(() => rmSync(path), 50)) },
])('a socket that others $name is there again, and who has asked is answered', async ({ spoil }) => {
  const answer = Promise.withResolvers<undefined>();
  let asked = false;
  await serve(async (request, connection) => {
    asked = true;
    if (request.op === 'policies') await answer.promise;
    connection.send({ ok: true, value: request.op });
  });
  const waiting = connect(encodeRequest({ op: 'policies' }));
  await waitFor('its request', () => asked);
  spoil();
  for (let second = 0; second < 3; second++) {
    await Bun.sleep(100);
    await clock.advance(1_000);
  }
  expect(await connect(STATUS).closed).toContain('"status"');
  answer.resolve(undefined);
  expect(await waiting.closed).toContain('"policies"');
});

test.each([107, 106, 104])('a path of %i bytes', async (bytes) => {
  const directoryBytes = join(directory, 'run').length + 1;
  path = join(directory, 'run', 'x'.repeat(bytes - directoryBytes));
  await serve(echo);
  expect(await connect(STATUS).closed).toContain('"ok":true');
});
