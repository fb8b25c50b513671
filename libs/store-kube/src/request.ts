import { type ResourceType, StoreError, type StoreErrorCode } from '@canal/store-port';

import type { Credentials, KubeConnection } from './connection.ts';
import { PROTOBUF, readEnvelope } from './protobuf/envelope.ts';
import { STATUS } from './protobuf/kubernetes-shapes.ts';

/** One request to the API server. Every failure is a `StoreError` that names the request and carries no credential. */
export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path with query, below the connection's base URL. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Media types wanted, when not plain JSON: a `Table`, for instance. */
  readonly accept?: string | undefined;
}

/** Sends and checks the status; the caller reads the body. */
export async function send(connection: KubeConnection, request: KubeRequest, signal: AbortSignal): Promise<Response> {
  const first = await attempt(connection, request, signal);
  if (first.status !== 401) return checked(request, first);
  // The token may have been rotated between our reading it and the server's check: once more with a fresh one.
  await first.body?.cancel();
  connection.credentials.invalidate();
  return checked(request, await attempt(connection, request, signal));
}

/** `/api/v1/namespaces/ns/pods/name/status` and the like; every segment is escaped. */
export function resourcePath(type: ResourceType, namespace?: string, name?: string, subresource?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace !== undefined ? ['namespaces', namespace] : [];
  const segments = [
    ...scope,
    type.plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource ? [subresource] : []),
  ];
  return `${root}/${segments.map(encodeURIComponent).join('/')}`;
}

/** `path?query`, leaving out what is undefined. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, value);
  const text = params.toString();
  return text === '' ? path : `${path}?${text}`;
}

async function attempt(connection: KubeConnection, request: KubeRequest, signal: AbortSignal): Promise<Response> {
  const credentials = await connection.credentials.current(signal).catch((error: unknown) => {
    throw new StoreError('unauthorized', `${describe(request)}: no credentials: ${causeText(error)}`, { cause: error });
  });
  try {
    return await fetch(`${connection.baseUrl}${request.path}`, fetchOptions(connection, credentials, request, signal));
  } catch (error) {
    const unreached = UNREACHED.has(textField(error, 'code'));
    throw new StoreError('unavailable', `${describe(request)}: ${causeText(error)}`, { cause: error, unreached });
  }
}

/** Codes of a connect(2) that failed; ENOENT is a Unix socket that is not there. */
const UNREACHED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT']);

function fetchOptions(
  connection: KubeConnection,
  credentials: Credentials,
  request: KubeRequest,
  signal: AbortSignal,
): BunFetchRequestInit {
  const headers: Record<string, string> = { Accept: request.accept ?? 'application/json', 'User-Agent': 'canal' };
  if (request.body !== undefined) headers['Content-Type'] = request.contentType ?? 'application/json';
  const authorization = authorizationHeader(credentials);
  if (authorization !== undefined) headers['Authorization'] = authorization;
  return {
    method: request.method,
    headers,
    signal,
    // The runtime's own 5-minute limit would end healthy watches; the reflector's watchdog judges silence instead.
    timeout: false,
    // A redirect could carry the token to another host.
    redirect: 'error',
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    ...(connection.unixSocket === undefined ? {} : { unix: connection.unixSocket }),
    ...(connection.baseUrl.startsWith('https:') ? { tls: tlsOptions(connection, credentials) } : {}),
  };
}

function tlsOptions(connection: KubeConnection, credentials: Credentials): BunFetchRequestInitTLS {
  const { ca, insecure, serverName } = connection.tls ?? {};
  const { clientCertificate } = credentials;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(insecure === true ? { rejectUnauthorized: false } : {}),
    ...(serverName === undefined ? {} : { serverName }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.cert, key: clientCertificate.key.reveal() }),
  };
}

function authorizationHeader(credentials: Credentials): string | undefined {
  if (credentials.token !== undefined) return `Bearer ${credentials.token.reveal()}`;
  const { basic } = credentials;
  if (basic === undefined) return undefined;
  return `Basic ${Buffer.from(`${basic.username}:${basic.password.reveal()}`).toString('base64')}`;
}

async function checked(request: KubeRequest, response: Response): Promise<Response> {
  if (response.ok) return response;
  const status = await readStatus(response);
  const retryAfter = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  throw new StoreError(
    errorCode(response.status, status),
    `${describe(request)}: ${String(response.status)} ${status.message === '' ? status.reason : status.message}`,
    {
      status: response.status,
      ...(status.reason === '' ? {} : { reason: status.reason }),
      ...(Number.isFinite(retryAfter) && retryAfter > 0 ? { retryAfterMs: retryAfter * 1000 } : {}),
    },
  );
}

interface StatusText {
  readonly reason: string;
  readonly message: string;
  readonly causes: readonly string[];
}

/** The server's `Status` object, or what can be told without one (a proxy's page, an empty body). */
async function readStatus(response: Response): Promise<StatusText> {
  // Errors come in what was asked for, too.
  const isProtobuf = response.headers.get('Content-Type')?.startsWith(PROTOBUF) ?? false;
  const body = Buffer.from(await response.arrayBuffer().catch(() => new ArrayBuffer(0)));
  try {
    const status: unknown = isProtobuf
      ? readEnvelope(body, () => STATUS).object
      : JSON.parse(body.toString('utf8').slice(0, MAX_STATUS_CHARS));
    return { reason: textField(status, 'reason'), message: textField(status, 'message'), causes: causeReasons(status) };
  } catch {
    return { reason: '', message: response.statusText, causes: [] };
  }
}

function causeReasons(status: unknown): readonly string[] {
  const causes = field(field(status, 'details'), 'causes');
  return Array.isArray(causes) ? causes.map((cause: unknown) => textField(cause, 'reason')) : [];
}

function errorCode(httpStatus: number, status: StatusText): StoreErrorCode {
  if (httpStatus === 409) return status.reason === 'AlreadyExists' ? 'already-exists' : 'conflict';
  // An API server that is behind the version asked for (or was restored from a backup) answers 504 with this cause.
  if (status.causes.includes('ResourceVersionTooLarge')) return 'version-ahead';
  return CODES.get(httpStatus) ?? (httpStatus >= 500 ? 'unavailable' : 'invalid');
}

const CODES: ReadonlyMap<number, StoreErrorCode> = new Map([
  [400, 'invalid'],
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not-found'],
  [405, 'unsupported'],
  [406, 'unsupported'],
  [408, 'unavailable'],
  [410, 'expired'],
  [415, 'unsupported'],
  [422, 'invalid'],
  [429, 'unavailable'],
]);

const MAX_STATUS_CHARS = 64 * 1024;

function describe(request: KubeRequest): string {
  return `${request.method} ${request.path}`;
}

/** The runtime's error text; it names hosts and certificates, never headers. */
function causeText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function textField(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}
