/**
 * Time limits of connections. The runtime has none that can be relied on (half-open TLS handshakes stay for 12 s, slow
 * bodies and slow readers for ever), so each connection is in one phase at a time, and each phase has an end.
 */
import type { Clock } from '@canal/runtime-port';

export interface GuardedSocket {
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

export interface GuardedRequest {
  /** The body is read, or there is none. */
  readonly complete: boolean;
}

export interface GuardedResponse {
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  once(event: 'close', listener: () => void): unknown;
}

export interface GuardLimits {
  /** From the TCP connection to the end of the TLS handshake. */
  readonly handshakeMs: number;
  /** From there, or from the end of an answer, to the end of the next request's head: so idle ones end, too. */
  readonly headMs: number;
  /** From the head's end to the body's. */
  readonly bodyMs: number;
  /** From the end of the answer's making to its last byte's going out. Streams look after themselves. */
  readonly answerMs: number;
  readonly maxConnections: number;
}

/** With the interval between looks all end within 10 s. */
export const GUARD_LIMITS: GuardLimits = {
  handshakeMs: 8_000,
  headMs: 8_000,
  bodyMs: 8_000,
  answerMs: 8_000,
  maxConnections: 1024,
};

export const LOOK_INTERVAL_MS = 500;

export type CutReason = 'handshake' | 'head' | 'body' | 'answer' | 'evicted' | 'full';

interface Exchange {
  readonly request: GuardedRequest;
  readonly response: GuardedResponse;
  readonly since: number;
  endedAt: number | undefined;
}

interface Connection {
  phase: 'handshake' | 'head';
  since: number;
  readonly exchanges: Set<Exchange>;
}

export class ConnectionGuard {
  readonly #connections = new Map<GuardedSocket, Connection>();
  readonly #clock: Clock;
  readonly #limits: GuardLimits;
  readonly #onCut: (reason: CutReason) => void;

  constructor(clock: Clock, limits: GuardLimits, onCut: (reason: CutReason) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onCut = onCut;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** False: there is no room, and the socket is destroyed. Whoever has waited longest without asking anything goes first. */
  connected(socket: GuardedSocket): boolean {
    if (this.#connections.size >= this.#limits.maxConnections && !this.#evict()) {
      this.#onCut('full');
      socket.destroy();
      return false;
    }
    this.#connections.set(socket, { phase: 'handshake', since: this.#clock.nowMs(), exchanges: new Set() });
    socket.once('close', () => this.#connections.delete(socket));
    return true;
  }

  secured(socket: GuardedSocket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.phase = 'head';
    connection.since = this.#clock.nowMs();
  }

  requested(socket: GuardedSocket, request: GuardedRequest, response: GuardedResponse): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    const exchange: Exchange = { request, response, since: this.#clock.nowMs(), endedAt: undefined };
    connection.exchanges.add(exchange);
    response.once('close', () => {
      connection.exchanges.delete(exchange);
      connection.since = this.#clock.nowMs();
    });
  }

  /** Cuts what is over its time. To be called every LOOK_INTERVAL_MS. */
  look(): void {
    const now = this.#clock.nowMs();
    for (const [socket, connection] of this.#connections) {
      const reason = this.#overdue(connection, now);
      if (reason !== undefined) this.#cut(socket, reason);
    }
  }

  destroyAll(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
    this.#connections.clear();
  }

  #overdue({ phase, since, exchanges }: Connection, now: number): CutReason | undefined {
    const { handshakeMs, headMs, bodyMs, answerMs } = this.#limits;
    if (exchanges.size === 0) return now - since >= (phase === 'handshake' ? handshakeMs : headMs) ? phase : undefined;
    for (const exchange of exchanges) {
      const { request, response } = exchange;
      if (!request.complete && now - exchange.since >= bodyMs) return 'body';
      if (!response.writableEnded || response.writableFinished) continue;
      exchange.endedAt ??= now;
      if (now - exchange.endedAt >= answerMs) return 'answer';
    }
    return undefined;
  }

  #evict(): boolean {
    for (const [socket, { exchanges }] of this.#connections) {
      if (exchanges.size > 0) continue;
      this.#cut(socket, 'evicted');
      return true;
    }
    return false;
  }

  #cut(socket: GuardedSocket, reason: CutReason): void {
    this.#connections.delete(socket);
    this.#onCut(reason);
    socket.destroy();
  }
}
