/** Real sockets against the whole server, with limits of a fraction of a second in place of 8 s. */
import { connect as connectTcp, type Socket } from 'node:net';
import * as nodeTls from 'node:tls';
import { createPrometheusMetrics, createSystemClock } from '@canal/telemetry';
import { createCapturedLogger, waitFor } from '@canal/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiMetrics } from '../api-metrics.ts';
import { AuditLog } from '../audit-log.ts';
import type { Handlers } from '../handler.ts';
import { WIDE_LIMITS } from '../http/app.fixture.ts';
import { runServer, type RunningServer } from '../run-server.ts';
import { makeCertificate } from './certificate-source.ts';
import { GUARD_LIMITS } from './connection-guard.ts';

const LIMIT_MS = 300;
const stop = new AbortController();
const log = createCapturedLogger();
const prometheus = createPrometheusMetrics();
let server: RunningServer;

const HUGE = 'x'.repeat(32 << 20);
/** More than sockets of both sides hold. */
const flood = async function* ({ signal }: { readonly signal: AbortSignal }) {
  for (let id = 0; !signal.aborted; id++) {
    yield { type: 'item', id: String(id), data: 'y'.repeat(200_000) };
    await new Promise((resolve) => setImmediate(resolve));
  }
};
const handlers = {
  listNodes: () => Promise.resolve({ body: { items: [] } }),
  getNetConf: () => Promise.resolve({ body: HUGE }),
  explain: () => Promise.resolve({ body: {} }),
  streamFlows: flood,
} as unknown as Handlers;

beforeAll(async () => {
  const limits = { ...GUARD_LIMITS, handshakeMs: LIMIT_MS, headMs: LIMIT_MS, bodyMs: LIMIT_MS, answerMs: LIMIT_MS };
  server = await runServer(
    {
      host: '127.0.0.1',
      port: 0,
      certificate: makeCertificate(['127.0.0.1'], undefined),
      certificateFiles: undefined,
      limits: WIDE_LIMITS,
      guardLimits: limits,
    },
    {
      handlers,
      authority: {
        authenticate: () => Promise.resolve({ user: 'ann', key: 'ann' }),
        isAllowed: () => Promise.resolve(true),
      },
      audit: new AuditLog(log),
      clock: createSystemClock(),
      log,
      timeMs: () => Date.now(),
      metrics: createApiMetrics(prometheus, 'test'),
      readyz: () => ({ ok: true, text: 'ready' }),
      version: 'test',
    },
    stop.signal,
  );
});
afterAll(async () => {
  stop.abort();
  await server.done;
});

const HEAD = 'Host: a\r\nAuthorization: Bearer t\r\n';
const EXPLAIN = `POST /v1/explain HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`;

function closed(socket: Socket): Promise<true> {
  socket.on('error', () => undefined);
  return new Promise((resolve) => socket.once('close', () => resolve(true)));
}

async function tcp(): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port: server.port });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

async function tls(): Promise<nodeTls.TLSSocket> {
  const socket = nodeTls.connect({
    host: '127.0.0.1',
    port: server.port,
    rejectUnauthorized: false,
  }) as nodeTls.TLSSocket;
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return socket;
}

/** Writes a piece again and again, until the other side has enough. */
function drip(socket: Socket, text: string | Uint8Array): void {
  const timer = setInterval(() => socket.write(text), LIMIT_MS / 10);
  socket.once('close', () => clearInterval(timer));
}

async function cuts(reason: string): Promise<number> {
  const text = await prometheus.render();
  return Number(new RegExp(`canal_admin_cut_connections_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}

const CLIENT_HELLO = Buffer.from('16030102000100', 'hex');

describe('are cut off', () => {
  test.each<[string, string, () => Promise<Socket>]>([
    ['who says nothing at all', 'handshake', tcp],
    [
      'who says half a ClientHello',
      'handshake',
      async () => {
        const socket = await tcp();
        socket.write(CLIENT_HELLO);
        return socket;
      },
    ],
    [
      'who drips a ClientHello',
      'handshake',
      async () => {
        const socket = await tcp();
        socket.write(CLIENT_HELLO);
        drip(socket, Buffer.from([0]));
        return socket;
      },
    ],
    ['who asks nothing', 'head', tls],
    [
      'who drips a head',
      'head',
      async () => {
        const socket = await tls();
        socket.write(`GET /v1/nodes HTTP/1.1\r\n${HEAD}`);
        drip(socket, 'X-A: b\r\n');
        return socket;
      },
    ],
    [
      'who drips a body',
      'body',
      async () => {
        const socket = await tls();
        socket.write(EXPLAIN);
        drip(socket, '1');
        return socket;
      },
    ],
    [
      'who asks once and then no more',
      'head',
      async () => {
        const socket = await tls();
        socket.resume().write(`GET /v1/nodes HTTP/1.1\r\n${HEAD}\r\n`);
        return socket;
      },
    ],
  ])('%s', async (_name, reason, start) => {
    const before = await cuts(reason);
    const socket = await start();
    expect(await waitFor('the end of the connection', () => closed(socket), 10_000)).toBe(true);
    await waitFor('the count', async () => (await cuts(reason)) > before);
  });

  test('who takes no answer', async () => {
    const before = await cuts('answer');
    const socket = await tls();
    socket.on('error', () => undefined).pause();
    socket.write(`GET /v1/config/net-conf HTTP/1.1\r\n${HEAD}\r\n`);
    await waitFor('the cut', async () => (await cuts('answer')) > before, 10_000);
    socket.destroy();
  });

  test('who takes nothing of a stream', async () => {
    const socket = await tls();
    socket.on('error', () => undefined).pause();
    socket.write(`GET /v1/flows/stream HTTP/1.1\r\n${HEAD}\r\n`);
    await waitFor(
      'the cut',
      async () => (await prometheus.render()).includes('canal_admin_stream_ends_total{how="slow"} 1'),
      10_000,
    );
    socket.destroy();
  });
});

describe('are let be', () => {
  test('others meanwhile, and who reads a stream for long', async () => {
    const idle = await Promise.all(Array.from({ length: 50 }, tcp));
    const reader = await tls();
    let bytes = 0;
    reader.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    reader.write(`GET /v1/flows/stream HTTP/1.1\r\n${HEAD}\r\n`);
    const ask = async () => {
      const socket = await tls();
      const answer = new Promise<string>((resolve) =>
        socket.once('data', (chunk: Buffer) => resolve(chunk.toString())),
      );
      socket.write(`GET /v1/nodes HTTP/1.1\r\n${HEAD}\r\n`);
      const text = await answer;
      socket.destroy();
      return text.slice(0, 12);
    };
    expect(await ask()).toBe('HTTP/1.1 200');
    const since = performance.now();
    await waitFor('several times the limit', () => performance.now() - since > 5 * LIMIT_MS);
    const before = bytes;
    await waitFor('more of the stream', () => bytes > before, 10_000);
    expect(reader.destroyed).toBe(false);
    expect(await ask()).toBe('HTTP/1.1 200');
    for (const socket of [reader, ...idle]) socket.destroy();
  });
});

describe('what is no HTTP', () => {
  test.each([
    ['garbage', 'GARBAGE\r\n\r\n'],
    [
      'two lengths',
      `POST /v1/explain HTTP/1.1\r\n${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a blank before the colon', 'GET /livez HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n'],
    ['a head without end', `GET /livez HTTP/1.1\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`],
  ])('%s is a bad request', async (_name, text) => {
    const socket = await tls();
    let answer = '';
    socket
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => {
        answer += chunk.toString();
      });
    socket.write(text);
    await waitFor('the answer', () => answer.includes('}'), 10_000);
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
    expect(answer).toContain('content-type: application/problem+json');
    socket.destroy();
  });
});

test('all that is no fault', () => {
  expect(log.messages('error')).toEqual([]);
});
