/** The unix socket: who may connect, how long a client may take, how much may wait for it. What is said is the handler's. */
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  type AgentAnswer,
  type AgentErrorCode,
  encodeAnswer,
  LineBuffer,
  MAX_REQUEST_BYTES,
} from '@canal/agent-protocol';
import { connectUnixStream, LinuxError } from '@canal/linux-ffi';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Result } from 'net-types';
import type { RequestConnection, RequestHandler } from './request-handler.ts';
import type { ServiceProblem, ServiceProblems } from './service-problems.ts';

/** Whose socket it is, in words for people. */
export interface SocketWords {
  /** That names the path: `--socket`. */
  readonly flag: string;
  /** Of who may have the path already: `policy agent`. */
  readonly agent: string;
  /** Logged when it is there: `answering the CNI plugin`. */
  readonly served: string;
  /** What is lost without it, as a sentence. */
  readonly loss: string;
  /** Reason of the Event without it. */
  readonly event: string;
}

export interface SocketServerDeps<Request extends { readonly op: string }> {
  readonly path: string;
  readonly words: SocketWords;
  /** The error says what is wrong with the line. */
  readonly decode: (line: string) => Result<Request, string>;
  /** The answer has no end of its own. */
  readonly isFollowed: (request: Request) => boolean;
  readonly handle: RequestHandler<Request>;
  /** Of a connected descriptor. */
  readonly peerUid: (fd: number) => number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly problems: ServiceProblems;
  readonly onRequest: (op: string, outcome: 'ok' | AgentErrorCode) => void;
}

const ROOT_UID = 0;
/** A client says what it wants at once. */
const REQUEST_LIMIT_MS = 5_000;
/** A client that does not read its answer. */
const DRAIN_LIMIT_MS = 5_000;
const MAX_WAITING_BYTES = 1024 * 1024;
/** Ten times the pods of a node. */
const MAX_CONNECTIONS = 1_024;
const RETRY_MS = 1_000;
const NAME_CHECK_MS = 1_000;
const CONNECT_LIMIT_MS = 200;

/** Serves until the signal aborts; a path that cannot be bound, or that another program serves, is tried again. */
export async function serveSocket<Request extends { readonly op: string }>(
  deps: SocketServerDeps<Request>,
  signal: AbortSignal,
): Promise<void> {
  const { path, words, log, clock, problems } = deps;
  while (!signal.aborted) {
    try {
      const { listener, inode } = listen(deps, signal);
      log.info({ path }, words.served);
      problems.update('socket', []);
      const isLost = await nameLost({ path, inode }, clock, signal);
      // Who has asked still gets the answer.
      listener.stop(!isLost);
      if (isLost) log.warn({ path }, 'the socket was deleted or replaced by others, making it anew');
    } catch (error) {
      problems.update('socket', [notServed(words, path, error)]);
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }
}

/**
 * True when the path does not lead here any more: whoever asks would find nobody, and we would wait for ever. False when
 * the signal aborts.
 */
async function nameLost({ path, inode }: Bound, clock: Clock, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (inodeOf(path) !== inode) return true;
    await clock.sleep(NAME_CHECK_MS, signal).catch(() => undefined);
  }
  return false;
}

interface Bound {
  readonly path: string;
  readonly inode: string | undefined;
}

/** Undefined: it cannot be looked at. */
function inodeOf(path: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(path);
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

function notServed({ flag, loss, event }: SocketWords, path: string, error: unknown): ServiceProblem {
  const reason = error instanceof Error ? error.message : String(error);
  const message =
    `${flag} ${path}: ${reason}. ${loss}. ` +
    'Cure: a path in a directory of its own that root can write; it is tried again each second';
  return { key: 'unserved', severity: 'error', event, message };
}

/**
 * The socket is bound under another name in a directory that is root's alone, and takes its name when its mode is right:
 * there is no moment at which others could connect, and a killed agent's socket is replaced, not removed first.
 */
function listen<Request extends { readonly op: string }>(
  deps: SocketServerDeps<Request>,
  signal: AbortSignal,
): { readonly listener: Bun.UnixSocketListener<Client<Request>>; readonly inode: string | undefined } {
  const present = lstatSync(deps.path, { throwIfNoEntry: false });
  if (present !== undefined && !present.isSocket()) {
    const kind = present.isDirectory() ? 'a directory' : 'a file that is no socket';
    throw new Error(`${kind} is there: expected a socket or nothing; move it away`);
  }
  // A second agent that took the name would leave the first without it for good.
  if (isServed(deps.path)) throw new Error(`another ${deps.words.agent} answers there: end it`);
  const directory = dirname(deps.path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const temporary = join(directory, `.${basename(deps.path)}.new`);
  rmSync(temporary, { force: true });
  const clients = new Set<Client<Request>>();
  const listener = Bun.listen<Client<Request>>({
    unix: temporary,
    // A client may close its half once it has asked.
    allowHalfOpen: true,
    socket: {
      open(socket) {
        const refusal = clients.size >= MAX_CONNECTIONS ? 'too many connections at once' : undefined;
        socket.data = new Client(deps, socket, signal, () => clients.delete(socket.data));
        clients.add(socket.data);
        socket.data.open(refusal);
      },
      data(socket, bytes) {
        socket.data.read(bytes);
      },
      drain(socket) {
        socket.data.flush();
      },
      end(socket) {
        socket.data.halfClosed();
      },
      close(socket) {
        socket.data.closed();
      },
      error(socket, error) {
        deps.log.warn({ error }, 'a connection failed');
        socket.data.closed();
        socket.terminate();
      },
    },
  });
  try {
    chmodSync(temporary, 0o600);
    const inode = inodeOf(temporary);
    renameSync(temporary, deps.path);
    return { listener, inode };
  } catch (error) {
    listener.stop(true);
    throw error;
  }
}

function isServed(path: string): boolean {
  try {
    connectUnixStream(path, CONNECT_LIMIT_MS)[Symbol.dispose]();
    return true;
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    return error.code === 'EAGAIN';
  }
}

class Client<Request extends { readonly op: string }> {
  readonly #deps: SocketServerDeps<Request>;
  readonly #socket: Bun.Socket<Client<Request>>;
  readonly #lines = new LineBuffer(MAX_REQUEST_BYTES);
  readonly #gone = new AbortController();
  readonly #signal: AbortSignal;
  readonly #onClose: () => void;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #onDrained: (() => void) | undefined;
  /** Ends the limit that runs. */
  #limit = new AbortController();
  /** Nobody is heard before it is known who it is. */
  #refusal: string | undefined = 'the peer is not known';
  #asked = false;
  #ending = false;
  #follows = false;

  constructor(
    deps: SocketServerDeps<Request>,
    socket: Bun.Socket<Client<Request>>,
    signal: AbortSignal,
    onClose: () => void,
  ) {
    this.#deps = deps;
    this.#socket = socket;
    this.#signal = AbortSignal.any([signal, this.#gone.signal]);
    this.#onClose = onClose;
    const over = (): void => {
      this.#limit.abort();
      this.#onDrained?.();
    };
    this.#signal.addEventListener('abort', over, { once: true });
  }

  open(refusal: string | undefined): void {
    this.#endAfter(REQUEST_LIMIT_MS);
    const uid = this.#deps.peerUid(descriptorOf(this.#socket));
    if (uid !== ROOT_UID) this.#deps.log.warn({ uid }, 'a user other than root connected');
    this.#refusal = uid === ROOT_UID ? refusal : `uid ${uid} may not ask: only root may`;
  }

  read(bytes: Uint8Array): void {
    if (this.#asked) return;
    // Not before something was read: a connection that is closed over unread bytes loses the answer.
    if (this.#refusal !== undefined) {
      this.#refuse(this.#refusal);
      return;
    }
    const [line] = this.#lines.push(bytes);
    if (this.#lines.overflowed) this.#refuse(`the request is longer than ${MAX_REQUEST_BYTES} bytes`);
    else if (line !== undefined) this.#ask(line);
  }

  /**
   * Before a whole request there will be none. Afterwards the client waits for its answer, or has gone, which writing
   * tells; but to a follower nothing may be written for hours.
   */
  halfClosed(): void {
    if (!this.#asked || this.#follows) this.#socket.terminate();
  }

  closed(): void {
    this.#gone.abort();
    this.#onClose();
  }

  flush(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const written = Math.max(0, this.#socket.write(first));
      this.#waitingBytes -= written;
      if (written < first.length) {
        this.#waiting[0] = first.subarray(written);
        return;
      }
      this.#waiting.shift();
    }
    this.#onDrained?.();
    if (this.#ending) this.#socket.end();
  }

  #refuse(message: string): void {
    this.#asked = true;
    this.#answer('none', { ok: false, code: 'bad-request', message });
  }

  #ask(line: string): void {
    this.#asked = true;
    this.#limit.abort();
    const request = this.#deps.decode(line);
    if (!request.ok) {
      this.#answer('none', { ok: false, code: 'bad-request', message: request.error });
      return;
    }
    const { op } = request.value;
    this.#follows = this.#deps.isFollowed(request.value);
    let outcome: 'ok' | AgentErrorCode = 'ok';
    const connection: RequestConnection = {
      signal: this.#signal,
      drained: () => this.#drained(),
      send: (answer) => {
        if (!answer.ok) outcome = answer.code;
        return this.#send(answer);
      },
    };
    this.#deps.handle(request.value, connection).then(
      () => {
        this.#deps.onRequest(op, outcome);
        this.#end();
      },
      (error: unknown) => {
        this.#deps.log.error({ op, error }, 'a request failed');
        const message = error instanceof Error ? error.message : String(error);
        this.#answer(op, { ok: false, code: 'internal', message });
      },
    );
  }

  #answer(op: string, answer: AgentAnswer & { readonly ok: false }): void {
    this.#deps.onRequest(op, answer.code);
    this.#send(answer);
    this.#end();
  }

  #send(answer: AgentAnswer): boolean {
    if (this.#signal.aborted || this.#ending) return false;
    const bytes = new TextEncoder().encode(encodeAnswer(answer));
    // One answer is always taken, however long: lists of policies can be.
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return false;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waiting.length === 1) this.flush();
    return true;
  }

  async #drained(): Promise<void> {
    if (this.#waiting.length === 0 || this.#signal.aborted) return;
    this.#endAfter(DRAIN_LIMIT_MS);
    await new Promise<void>((resolve) => {
      this.#onDrained = () => {
        this.#onDrained = undefined;
        if (!this.#ending) this.#limit.abort();
        resolve();
      };
    });
  }

  #end(): void {
    this.#ending = true;
    this.#endAfter(DRAIN_LIMIT_MS);
    if (this.#waiting.length === 0) this.#socket.end();
  }

  /** A client takes no longer for what is next. In place of the limit before. */
  #endAfter(delayMs: number): void {
    this.#limit.abort();
    this.#limit = new AbortController();
    if (this.#signal.aborted) return;
    this.#deps.clock.sleep(delayMs, this.#limit.signal).then(
      () => this.#socket.terminate(),
      () => undefined,
    );
  }
}

/** The runtime has it, its types do not. */
function descriptorOf(socket: object): number {
  if ('fd' in socket && typeof socket.fd === 'number') return socket.fd;
  throw new Error('the runtime gives no descriptor of a socket');
}
