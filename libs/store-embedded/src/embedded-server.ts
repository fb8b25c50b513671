import type { Logger } from '@canal/runtime-port';

import {
  allowAuthenticated,
  authenticateTokens,
  type Authorize,
  type TokenEntry,
  tokenFinder,
} from './authentication.ts';
import { createBuiltinResources } from './kinds/builtin-resources.ts';
import { NAMESPACES_KEY, ObjectApi } from './object-api.ts';
import { type HistoryWindow, ObjectDatabase } from './object-database.ts';
import { DEFAULT_BODY_LIMITS } from './request-body.ts';
import { createRequestHandler, isWatch, type RequestHandler } from './request-handler.ts';
import { ResourceRegistry } from './resource-registry.ts';

export interface EmbeddedServerOptions {
  /** SQLite file; absent: in memory. */
  readonly dbPath?: string;
  /** Who may come in. Requests without one of these tokens get 401. */
  readonly tokens: readonly TokenEntry[];
  /** Refuses what an authenticated user may not do; by default nothing. */
  readonly authorize?: Authorize;
  readonly history?: HistoryWindow;
  readonly bookmarkIntervalMs?: number;
  readonly now?: () => Date;
  readonly log?: Logger;
}

export interface EmbeddedServer {
  /** The API as a function, for listeners of one's own. */
  readonly handle: RequestHandler;
  /** Starts a listener here and now, so that the caller may do it inside another network namespace. */
  listen(options: ListenOptions): Listener;
  /** Forgets the history up to now, as an API server does from time to time. */
  compact(): void;
  /** Version of the latest write. */
  version(): number;
  /** Ends watches and listeners, then closes the database. */
  close(): Promise<void>;
}

export type ListenOptions =
  | {
      readonly hostname: string;
      /** 0 or absent: any free port. */
      readonly port?: number;
      readonly tls?: { readonly cert: string; readonly key: string };
    }
  | { readonly unix: string };

export interface Listener {
  /** `https://10.0.0.1:6443`, `http://…`, or `http://localhost` for unix sockets. */
  readonly url: string;
  readonly port: number | undefined;
  close(): Promise<void>;
}

/** Far more than an agent that lost its connection misses before it is back. */
const DEFAULT_HISTORY: HistoryWindow = { maxChanges: 20_000, maxBytes: 64 * 1024 * 1024 };
const INITIAL_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export function createEmbeddedServer(options: EmbeddedServerOptions): EmbeddedServer {
  const db = new ObjectDatabase(options.dbPath ?? ':memory:', options.history ?? DEFAULT_HISTORY);
  const now = options.now ?? ((): Date => new Date());
  const objects = new ObjectApi({ db, now });
  const registry = new ResourceRegistry(createBuiltinResources(now));
  registry.follow(db);
  const closing = new AbortController();
  createInitialNamespaces(objects, registry, db);
  const findToken = tokenFinder(options.tokens);
  const handle = createRequestHandler({
    db,
    objects,
    registry,
    authenticate: authenticateTokens(findToken),
    findToken,
    authorize: options.authorize ?? allowAuthenticated,
    limits: DEFAULT_BODY_LIMITS,
    watch: {
      bookmarkIntervalMs: options.bookmarkIntervalMs ?? 60_000,
      defaultTimeoutMs: 1_800_000 * (1 + Math.random()),
      bufferBytes: 1024 * 1024,
    },
    now,
    signal: closing.signal,
    version: VERSION,
    onInternalError: (error) =>
      options.log?.error({ error: String(error) }, 'request failed by a defect of the server'),
  });
  const listeners = new Set<Listener>();
  return {
    handle,
    listen: (listenOptions) => {
      const listener = startListener(handle, listenOptions);
      listeners.add(listener);
      return {
        ...listener,
        close: async () => {
          listeners.delete(listener);
          await listener.close();
        },
      };
    },
    compact: () => {
      db.compact();
    },
    version: () => db.version,
    close: async () => {
      closing.abort();
      await Promise.all([...listeners].map((listener) => listener.close()));
      listeners.clear();
      db.close();
    },
  };
}

function createInitialNamespaces(objects: ObjectApi, registry: ResourceRegistry, db: ObjectDatabase): void {
  const namespaces = registry.find('', 'v1', 'namespaces');
  if (namespaces === undefined) return;
  for (const name of INITIAL_NAMESPACES) {
    if (db.get(NAMESPACES_KEY, '', name) !== undefined) continue;
    objects.create(namespaces.definition, '', { metadata: { name } }, { dryRun: false });
  }
}

function startListener(handle: RequestHandler, options: ListenOptions): Listener {
  const fetch = (request: Request, server: Bun.Server<undefined>): Promise<Response> => {
    if (isWatch(request)) server.timeout(request, 0);
    return handle(request);
  };
  if ('unix' in options) {
    const server = Bun.serve({ fetch, unix: options.unix, maxRequestBodySize: MAX_REQUEST_BYTES });
    return { url: 'http://localhost', port: undefined, close: () => stopServer(server) };
  }
  const { hostname, port = 0, tls } = options;
  const server = Bun.serve({
    fetch,
    hostname,
    port,
    // Seconds without a byte before a connection is dropped; open watches are exempt.
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: MAX_REQUEST_BYTES,
    ...(tls === undefined ? {} : { tls }),
  });
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  const scheme = tls === undefined ? 'http' : 'https';
  return { url: `${scheme}://${host}:${String(server.port)}`, port: server.port, close: () => stopServer(server) };
}

/** Answers that are under way may end (open watches are ended by the server's signal), but are not waited for long. */
async function stopServer(server: Bun.Server<undefined>): Promise<void> {
  await Promise.race([server.stop(false), Bun.sleep(GRACE_MS)]);
  await server.stop(true);
}

const GRACE_MS = 300;

const IDLE_SECONDS = 60;
/** Above the limit of the handler, which answers with a Status; the runtime only closes. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;

/** The API level that is spoken, for clients that look at it. */
const VERSION = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.0+canal-embedded',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: 'linux/amd64',
};
