/** Clients over real sockets that leave in the middle of something: what they held is free again, what they wrote is told. */
import * as nodeTls from 'node:tls';
import { createPrometheusMetrics, createSystemClock } from '@canal/telemetry';
import { createCapturedLogger, waitFor } from '@canal/testing';
import { afterEach, expect, test } from 'vitest';
import { createApiMetrics } from '../api-metrics.ts';
import { AuditLog } from '../audit-log.ts';
import type { Handlers } from '../handler.ts';
import { runServer } from '../run-server.ts';
import { makeCertificate } from '../tls/certificate-source.ts';
import { WIDE_LIMITS } from './app.fixture.ts';

const PAGE = { items: [], partial: false, missing: [] };
const VERDICT = { applied: true, problems: [], warnings: [], effects: [] };

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Works when it is let go. */
class Held {
  readonly #going = new Set<() => void>();
  asked = 0;

  get wait(): Promise<void> {
    this.asked++;
    return new Promise((resolve) => this.#going.add(resolve));
  }

  letGo(): void {
    for (const go of this.#going) go();
    this.#going.clear();
  }
}

async function start(handlers: Partial<Handlers>, authenticating: () => Promise<void> = () => Promise.resolve()) {
  const log = createCapturedLogger();
  const prometheus = createPrometheusMetrics();
  const audit = new AuditLog(log);
  const stop = new AbortController();
  const limits = { ...WIDE_LIMITS, maxInFlight: 2, maxBodies: 2, maxStreams: 2, maxStreamsPerClient: 2 };
  const server = await runServer(
    {
      host: '127.0.0.1',
      port: 0,
      certificate: makeCertificate(['127.0.0.1'], undefined),
      certificateFiles: undefined,
      limits,
    },
    {
      handlers: handlers as Handlers,
      authority: {
        authenticate: async () => {
          await authenticating();
          return { user: 'ann', key: 'ann' };
        },
        isAllowed: () => Promise.resolve(true),
      },
      audit,
      clock: createSystemClock(),
      log,
      timeMs: () => Date.now(),
      metrics: createApiMetrics(prometheus, 'test'),
      readyz: () => ({ ok: true, text: 'ready' }),
      version: 'test',
    },
    stop.signal,
  );
  ends.push(async () => {
    stop.abort();
    await server.done;
  });
  const connect = async (): Promise<nodeTls.TLSSocket> => {
    const options = { host: '127.0.0.1', port: server.port, rejectUnauthorized: false };
    const socket = nodeTls.connect(options) as nodeTls.TLSSocket;
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket.on('error', () => undefined);
  };
  const connections = async (): Promise<number> =>
    Number(/canal_admin_connections (\d+)/.exec(await prometheus.render())?.[1]);
  return {
    audit,
    log,
    end(): Promise<void> {
      stop.abort();
      return server.done;
    },
    /** Sends the request, and leaves when `until` says so. */
    async leave(request: string, until: () => boolean): Promise<void> {
      const socket = await connect();
      socket.write(request);
      await waitFor('the right moment', until);
      socket.destroy();
      await waitFor('that the server has heard of it', async () => (await connections()) === 0);
    },
    async statusOf(request: string): Promise<string> {
      const socket = await connect();
      const answer = new Promise<string>((resolve) =>
        socket.once('data', (chunk: Buffer) => resolve(chunk.toString())),
      );
      socket.write(request);
      const text = await answer;
      socket.destroy();
      return text.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length);
    },
  };
}

function request(line: string, body?: object): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const length = body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n`;
  return `${line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nIf-Match: "v1"\r\n${length}\r\n${text}`;
}

const LIST = request('GET /v1/nodes');
const STREAM = request('GET /v1/flows/stream');
const EXPLAIN = request('POST /v1/explain', { source: 'a/b', destination: 'a/c', protocol: 'TCP', port: 80 });
const PUT = request('PUT /v1/config/net-conf', { netConf: { Network: '10.244.0.0/16' } });

test.each([
  ['a list', LIST],
  ['a stream', STREAM],
  ['a question with a body', EXPLAIN],
])('who leaves %s while the token is looked at holds no place', async (_name, asked) => {
  const held = new Held();
  let isSlow = true;
  const server = await start(
    {
      listNodes: () => Promise.resolve({ body: PAGE }),
      explain: () => Promise.resolve({ body: {} as never }),
      streamFlows: async function* ({ signal }) {
        yield { type: 'resync', id: '1' };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    },
    () => (isSlow ? held.wait : Promise.resolve()),
  );
  for (let client = 1; client <= 3; client++) await server.leave(asked, () => held.asked === client);
  isSlow = false;
  held.letGo();
  await waitFor('that the requests of before have gone their way', async () => (await server.statusOf(LIST)) === '200');
  // Two at a time are all there is room for.
  expect(await server.statusOf(asked)).toBe('200');
  expect(await server.statusOf(asked)).toBe('200');
  expect(server.log.messages('error')).toEqual([]);
});

test('who leaves while the handler works holds no place, and the handler hears of it', async () => {
  const left: string[] = [];
  let asked = 0;
  const server = await start({
    listNodes: async ({ signal }) => {
      asked++;
      if (asked <= 3) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        left.push('left');
      }
      return { body: PAGE };
    },
  });
  for (let client = 1; client <= 3; client++) await server.leave(LIST, () => asked === client);
  expect(await server.statusOf(LIST)).toBe('200');
  expect(left).toHaveLength(3);
});

test('a write is recorded as it ended, also when its client did not wait for the answer', async () => {
  const held = new Held();
  const server = await start({
    putNetConf: async () => {
      await held.wait;
      return { body: VERDICT, etag: 'v2', audit: { object: 'ConfigMap a/b', changes: ['+ it'] } };
    },
  });
  await server.leave(PUT, () => held.asked === 1);
  held.letGo();
  await waitFor('the record', () => server.audit.list().length > 0);
  expect(server.audit.list()).toMatchObject([
    { user: 'ann', operation: 'putNetConf', object: 'ConfigMap a/b', status: 200, changes: ['+ it'] },
  ]);
});

test('who ends the program waits for a write that is under way, and its record', async () => {
  const held = new Held();
  const server = await start({
    putNetConf: async () => {
      await held.wait;
      return { body: VERDICT, etag: 'v2' };
    },
  });
  await server.leave(PUT, () => held.asked === 1);
  let isOver = false;
  const over = server.end().then(() => (isOver = true));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(isOver).toBe(false);
  held.letGo();
  await over;
  expect(server.audit.list()).toMatchObject([{ operation: 'putNetConf', status: 200 }]);
});
