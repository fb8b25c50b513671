/**
 * The node API over TLS: HTTP/1.1 with one request a connection, for whoever brings a token that is let in. Bun's own
 * listener waits for ever for a handshake, a request or a reader, so each step has its limit here.
 */
import { type AgentAnswer, type AgentErrorCode, encodeAnswer } from '@canal/agent-protocol';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Result } from 'net-types';
import { type HttpRefusal, type HttpRequest, HttpRequestReader } from './http-request.ts';
import type { RequestConnection, RequestHandler } from './request-handler.ts';
import type { ServiceProblem, ServiceProblems } from './service-problems.ts';
import type { Authenticate } from './token-gate.ts';
import { WaitingBytes } from './waiting-bytes.ts';

export interface NodeApiServerDeps<Request extends { readonly op: string }> {
  /** 0: any that is free, which the log tells. */
  readonly port: number;
  /** PEM. */
  readonly certificate: { readonly certPem: string; readonly keyPem: string };
  /** Takes questions alone, nothing that changes anything. */
  readonly decode: (line: string) => Result<Request, string>;
  readonly handle: RequestHandler<Request>;
  readonly authenticate: Authenticate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly problems: ServiceProblems;
  readonly onRequest: (op: string, outcome: 'ok' | 'unauthorized' | AgentErrorCode) => void;
}

/** From the connection to a whole request: handshake, token and question. */
const REQUEST_LIMIT_MS = 5_000;
/** A client that does not read what waits for it. */
const DRAIN_LIMIT_MS = 5_000;
const MAX_CONNECTIONS = 256;
/** Connections that have shown no token yet: they cannot take the places of those that have. */
const MAX_STRANGERS = 128;
/** Of these, from one address: a pod cannot keep others out. */
const MAX_STRANGERS_OF_ONE = 64;
/** Keeps a follower's connection known to what lies between, and finds out whether it still is there. */
const HEARTBEAT_MS = 10_000;
const RETRY_MS = 2_000;

/** Serves until the signal aborts. A port that is taken is tried again. */
export async function serveNodeApi<Request extends { readonly op: string }>(
  deps: NodeApiServerDeps<Request>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, problems, port } = deps;
  while (!signal.aborted) {
    try {
      const listener = listen(deps, signal);
      log.info({ port: listener.port }, 'answering the admin API');
      problems.update('node-api', []);
      await aborted(signal);
      listener.stop(true);
    } catch (error) {
      problems.update('node-api', [notServed(port, error)]);
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function notServed(port: number, error: unknown): ServiceProblem {
  const reason = error instanceof Error ? error.message : String(error);
  const message =
    `--node-api-port ${port}: ${reason}. The admin API knows nothing of this node meanwhile. ` +
    'Cure: end what has the port, or choose another; it is tried again every two seconds';
  return { key: 'unserved', severity: 'warning', event: 'NodeApiNotServed', message };
}

type Socket = Bun.Socket<Client | undefined>;

/** Those who are connected. */
interface Present {
  readonly clients: Set<Client>;
  /** Without token yet, by address. */
  readonly strangers: Map<string, number>;
}

function listen<Request extends { readonly op: string }>(
  deps: NodeApiServerDeps<Request>,
  signal: AbortSignal,
): Bun.TCPSocketListener<Client | undefined> {
  const present: Present = { clients: new Set(), strangers: new Map() };
  const answer = (line: string, connection: RequestConnection): Promise<Answered> => answerTo(deps, line, connection);
  const { certPem, keyPem } = deps.certificate;
  const options = (hostname: string): Bun.TCPSocketListenOptions<Client | undefined> => ({
    hostname,
    port: deps.port,
    tls: { cert: certPem, key: keyPem },
    socket: {
      open(socket) {
        if (isFull(present, socket.remoteAddress)) socket.terminate();
        else socket.data = new Client({ ...deps, answer }, socket, present, signal);
      },
      // With this, open is told of the connection; without it of the handshake's end, and nobody of who never ends one.
      handshake(socket, isDone) {
        if (!isDone) socket.terminate();
      },
      data(socket, bytes) {
        socket.data?.read(bytes);
      },
      drain(socket) {
        socket.data?.flush();
      },
      // Who asks over HTTP and closes its half has gone.
      end(socket) {
        socket.terminate();
      },
      close(socket) {
        socket.data?.closed();
      },
      error(socket, error) {
        deps.log.warn({ error }, 'a connection of the node API failed');
        socket.terminate();
      },
    },
  });
  try {
    return Bun.listen(options('::'));
  } catch (error) {
    // Hosts without IPv6.
    try {
      return Bun.listen(options('0.0.0.0'));
    } catch {
      throw error;
    }
  }
}

interface Answered {
  readonly op: string;
  readonly outcome: 'ok' | AgentErrorCode;
}

async function answerTo<Request extends { readonly op: string }>(
  { decode, handle }: NodeApiServerDeps<Request>,
  line: string,
  connection: RequestConnection,
): Promise<Answered> {
  const request = decode(line);
  if (!request.ok) {
    connection.send({ ok: false, code: 'bad-request', message: request.error });
    return { op: 'none', outcome: 'bad-request' };
  }
  let outcome: Answered['outcome'] = 'ok';
  const send = (answer: AgentAnswer): boolean => {
    if (!answer.ok) outcome = answer.code;
    return connection.send(answer);
  };
  await handle(request.value, { signal: connection.signal, drained: () => connection.drained(), send });
  return { op: request.value.op, outcome };
}

function isFull({ clients, strangers }: Present, address: string): boolean {
  if (clients.size >= MAX_CONNECTIONS || (strangers.get(address) ?? 0) >= MAX_STRANGERS_OF_ONE) return true;
  let count = 0;
  for (const each of strangers.values()) count += each;
  return count >= MAX_STRANGERS;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  411: 'Length Required',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
};

const START_OF_ANSWER =
  'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n' +
  'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n';

interface ClientDeps extends Pick<NodeApiServerDeps<never>, 'authenticate' | 'clock' | 'log' | 'onRequest'> {
  readonly answer: (line: string, connection: RequestConnection) => Promise<Answered>;
}

class Client {
  readonly #deps: ClientDeps;
  readonly #socket: Socket;
  readonly #present: Present;
  readonly #address: string;
  readonly #request = new HttpRequestReader();
  readonly #waiting: WaitingBytes;
  readonly #gone = new AbortController();
  readonly #signal: AbortSignal;
  /** Ends the limit that runs; undefined: none does. */
  #limit: AbortController | undefined;
  #onDrained: (() => void) | undefined;
  #isStranger = true;
  #asked = false;
  #ending = false;

  constructor(deps: ClientDeps, socket: Socket, present: Present, signal: AbortSignal) {
    this.#deps = deps;
    this.#socket = socket;
    this.#present = present;
    this.#address = socket.remoteAddress;
    this.#waiting = new WaitingBytes((bytes) => socket.write(bytes));
    this.#signal = AbortSignal.any([signal, this.#gone.signal]);
    this.#signal.addEventListener('abort', () => this.#over(), { once: true });
    present.clients.add(this);
    present.strangers.set(this.#address, (present.strangers.get(this.#address) ?? 0) + 1);
    this.#endAfter(REQUEST_LIMIT_MS);
  }

  read(bytes: Uint8Array): void {
    if (this.#asked) return;
    const request = this.#request.push(bytes);
    if (request === undefined) return;
    this.#asked = true;
    // The review of the token has a limit of its own.
    this.#endLimit();
    if ('status' in request) this.#refuse(request);
    else this.#take(request).catch((error: unknown) => this.#fail(error));
  }

  flush(): void {
    // The runtime tells of room after the handshake, too: the limit of the request goes on.
    if (this.#waiting.isEmpty) return;
    this.#waiting.flush();
    this.#written();
  }

  closed(): void {
    this.#present.clients.delete(this);
    this.#noStranger();
    this.#gone.abort();
  }

  async #take({ token, body }: HttpRequest): Promise<void> {
    const { authenticate, answer, onRequest } = this.#deps;
    const isLetIn = token === undefined ? false : await authenticate(token, this.#address).catch(() => 'unavailable');
    if (this.#signal.aborted) return;
    if (isLetIn !== true) {
      onRequest('none', 'unauthorized');
      this.#refuse(isLetIn === false ? NO_TOKEN : NO_REVIEW);
      return;
    }
    this.#noStranger();
    this.#push(encode(START_OF_ANSWER));
    void this.#beat();
    const { op, outcome } = await answer(body, {
      signal: this.#signal,
      drained: () => this.#drained(),
      send: (each) => this.#send(each),
    });
    onRequest(op, outcome);
    this.#end();
  }

  #fail(error: unknown): void {
    this.#deps.log.error({ error }, 'a request of the node API failed');
    this.#deps.onRequest('none', 'internal');
    const message = error instanceof Error ? error.message : String(error);
    this.#send({ ok: false, code: 'internal', message });
    this.#end();
  }

  /** An empty line, which readers pass over. */
  async #beat(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#ending && !this.#signal.aborted) {
      await clock.sleep(HEARTBEAT_MS, this.#signal).catch(() => undefined);
      this.#say();
    }
  }

  #say(): void {
    if (!this.#ending && this.#waiting.isEmpty) this.#push(chunk('\n'));
  }

  #refuse({ status, message }: HttpRefusal | typeof NO_TOKEN | typeof NO_REVIEW): void {
    const text = `${message}\n`;
    const head =
      `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n`;
    this.#push(encode(head + text));
    this.#close();
  }

  #send(answer: AgentAnswer): boolean {
    return this.#push(chunk(encodeAnswer(answer)));
  }

  #push(bytes: Uint8Array): boolean {
    if (this.#signal.aborted || this.#ending) return false;
    const isTaken = this.#waiting.push(bytes);
    this.#written();
    return isTaken;
  }

  #end(): void {
    if (this.#ending || this.#signal.aborted) return;
    this.#waiting.append(encode('0\r\n\r\n'));
    this.#close();
  }

  #close(): void {
    this.#ending = true;
    this.#endAfter(DRAIN_LIMIT_MS);
    this.#written();
  }

  /** After each write: a client has so much time from when something begins to wait until nothing does. */
  #written(): void {
    if (!this.#waiting.isEmpty) {
      if (this.#limit === undefined) this.#endAfter(DRAIN_LIMIT_MS);
    } else if (this.#ending) {
      // The limit goes on: it may not close its half. After end() the runtime would not let go of it, whatever is called.
      this.#socket.shutdown();
    } else {
      this.#endLimit();
      this.#onDrained?.();
    }
  }

  async #drained(): Promise<void> {
    if (this.#waiting.isEmpty || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#onDrained = () => {
        this.#onDrained = undefined;
        resolve();
      };
    });
  }

  #over(): void {
    this.#endLimit();
    this.#onDrained?.();
  }

  #noStranger(): void {
    if (!this.#isStranger) return;
    this.#isStranger = false;
    const { strangers } = this.#present;
    const left = (strangers.get(this.#address) ?? 0) - 1;
    if (left > 0) strangers.set(this.#address, left);
    else strangers.delete(this.#address);
  }

  #endAfter(delayMs: number): void {
    this.#endLimit();
    const limit = new AbortController();
    this.#limit = limit;
    this.#deps.clock.sleep(delayMs, limit.signal).then(
      () => this.#socket.terminate(),
      () => undefined,
    );
  }

  #endLimit(): void {
    this.#limit?.abort();
    this.#limit = undefined;
  }
}

const NO_TOKEN = { status: 401, message: 'expected a token that may ask' } as const;
const NO_REVIEW = { status: 503, message: 'the token cannot be reviewed now: try again' } as const;

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** RFC 9112 §7.1. */
function chunk(text: string): Uint8Array {
  const bytes = Buffer.byteLength(text);
  return encode(`${bytes.toString(16)}\r\n${text}\r\n`);
}
