/** HTTP over TLS on one port. The sockets are ours and the guard's; HTTP gets them when their handshake is over. */
import { constants } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import type { Clock } from '@canal/runtime-port';
import type { ServerCertificate } from './certificate-source.ts';
import { type ClientAuthorities, type ClientIdentity, isValidAt } from './client-certificate.ts';
import { ConnectionGuard, type CutReason, type GuardLimits, LOOK_INTERVAL_MS } from './connection-guard.ts';

export interface TlsListenerDeps {
  readonly certificate: ServerCertificate;
  /** Whose certificates clients may show; undefined: none are asked for. */
  readonly clientAuthorities?: ClientAuthorities | undefined;
  readonly clock: Clock;
  readonly limits: GuardLimits;
  readonly onCut: (reason: CutReason) => void;
  /** Asked with each new connection and each that ends. */
  readonly onCount: (connections: number) => void;
}

export interface TlsListener {
  /** Give it to fastify's server factory: it does not listen by itself. */
  createHttpServer(handler: (request: IncomingMessage, response: ServerResponse) => void): HttpServer;
  /** Resolves with the port. Rejects when the address cannot be had. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Who a client is by the certificate that it has shown; undefined without one, and when it is over. */
  identityOf(socket: object, nowMs: number): ClientIdentity | undefined;
  /** For new connections; those that are open keep theirs. */
  setCertificate(certificate: ServerCertificate): void;
  close(): Promise<void>;
}

/** A token of many groups is some KiB. */
const MAX_HEAD_BYTES = 32 * 1024;

export function createTlsListener(deps: TlsListenerDeps): TlsListener {
  const { certificate, clientAuthorities, clock, limits, onCut, onCount } = deps;
  const guard = new ConnectionGuard(clock, limits, onCut);
  const stop = new AbortController();
  let http: HttpServer | undefined;
  const identities = new WeakMap<object, ClientIdentity>();

  const tls = createTlsServer({
    ...contextOf(certificate, clientAuthorities),
    ALPNProtocols: ['http/1.1'],
    // Who has none, or one that is not taken, may show a token all the same.
    ...(clientAuthorities !== undefined && { requestCert: true, rejectUnauthorized: false }),
  });
  // On this runtime it comes before the handshake, and the socket is the one that is secured later.
  tls.on('connection', (socket: TLSSocket) => {
    // Errors of a connection are its end, and the guard hears of that.
    socket.on('error', () => undefined);
    if (!guard.connected(socket)) return;
    onCount(guard.size);
    socket.once('close', () => onCount(guard.size));
  });
  tls.on('secureConnection', (socket) => {
    guard.secured(socket);
    const identity = clientAuthorities && identityOf(socket, clientAuthorities);
    if (identity !== undefined) identities.set(socket, identity);
    http?.emit('connection', socket);
  });
  tls.on('tlsClientError', (_error, socket) => socket.destroy());

  return {
    createHttpServer(handler) {
      http = createHttpServer({
        maxHeaderSize: MAX_HEAD_BYTES,
        requestTimeout: 0,
        headersTimeout: 0,
        keepAliveTimeout: 0,
      });
      http.on('request', (request, response) => {
        guard.requested(request.socket, request, response);
        handler(request, response);
      });
      return http;
    },
    async listen({ host, port }) {
      const bound = await listenOn(tls, host, port).catch((error: unknown) => {
        // Every address of both families is wanted, and the host has one alone.
        if (host !== EVERY_ADDRESS) throw error;
        return listenOn(tls, '0.0.0.0', port);
      });
      void lookEvery(guard, clock, stop.signal);
      return bound;
    },
    identityOf(socket, nowMs) {
      const identity = identities.get(socket);
      return identity !== undefined && isValidAt(identity, nowMs) ? identity : undefined;
    },
    setCertificate: (renewed) => tls.setSecureContext(contextOf(renewed, clientAuthorities)),
    async close() {
      stop.abort();
      const closed = new Promise<void>((resolve) => tls.close(() => resolve()));
      guard.destroyAll();
      await closed;
    },
  };
}

const EVERY_ADDRESS = '::';

async function listenOn(tls: TlsServer, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  tls.once('error', reject);
  tls.listen({ host, port }, () => {
    const bound = tls.address();
    resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
  });
  try {
    return await promise;
  } finally {
    tls.off('error', reject);
  }
}

function contextOf({ cert, key }: ServerCertificate, clients: ClientAuthorities | undefined): SecureContextOptions {
  // A session that goes on has no handshake that shows a certificate.
  const more = clients && { ca: clients.pem, secureOptions: constants.SSL_OP_NO_TICKET };
  return { cert, key, minVersion: 'TLSv1.2', ...more };
}

function identityOf(socket: TLSSocket, authorities: ClientAuthorities): ClientIdentity | undefined {
  const shown = socket.getPeerCertificate() as { readonly raw?: Uint8Array } | undefined;
  return shown?.raw === undefined ? undefined : authorities.identify(shown.raw);
}

async function lookEvery(guard: ConnectionGuard, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    guard.look();
    await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
  }
}
