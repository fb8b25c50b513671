/** One request to the admin API, and its answer. */
import { AdminApiError } from './admin-api-error.ts';
import type { CallTarget } from './call-target.ts';
import type { Problem } from './generated/types.ts';
import type { UntypedInput } from './untyped-input.ts';

export interface AdminServer {
  /** `https://host:port`, without a path. */
  readonly url: string;
  /** Asked before each request. */
  readonly token: () => string;
  /** PEM of the authority that the server's certificate is of; absent: the system's authorities. */
  readonly ca?: string;
  /** Name in the certificate when it is not the host of the URL. */
  readonly serverName?: string;
  /** For one answer; for a stream, until it begins. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
/** A page of 500 flows has less than 1 MiB; a bundle of a large cluster some. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Throws AdminApiError, and the signal's reason. */
export async function exchange(
  server: AdminServer,
  target: CallTarget,
  input: UntypedInput,
  signal: AbortSignal,
): Promise<{ readonly body: unknown; readonly etag?: string }> {
  const limit = AbortSignal.timeout(server.timeoutMs ?? TIMEOUT_MS);
  const response = await request(server, target, input, { signal, limit, accept: 'application/json' });
  const where = `${target.method} ${target.path}`;
  const text = await readText(response, where, { signal, limit });
  const etag = response.headers.get('etag');
  return { body: text === '' ? undefined : parse(text, where), ...(etag !== null && { etag }) };
}

export interface RequestLimits {
  readonly signal: AbortSignal;
  /** Aborts when it takes too long. */
  readonly limit: AbortSignal;
}

/** A response that is no problem; its body is not read yet. Throws AdminApiError, and the signal's reason. */
export async function request(
  server: AdminServer,
  target: CallTarget,
  input: UntypedInput,
  {
    signal,
    limit,
    accept,
    lastEventId,
  }: RequestLimits & { readonly accept: string; readonly lastEventId?: string | undefined },
): Promise<Response> {
  const { url, ca, serverName } = server;
  const where = `${target.method} ${target.path}`;
  let response: Response;
  try {
    response = await fetch(url + pathOf(target, input), {
      method: target.method,
      headers: headersOf(server, input, accept, lastEventId),
      signal: AbortSignal.any([signal, limit]),
      // A redirect could carry the token to another host.
      redirect: 'error',
      ...(input.body !== undefined && { body: JSON.stringify(input.body) }),
      tls: { ...(ca !== undefined && { ca }), ...(serverName !== undefined && { serverName }) },
    });
  } catch (error) {
    throw failure(error, `${url}: ${where}`, { signal, limit });
  }
  if (response.ok) return response;
  throw await problemOf(response, where, { signal, limit });
}

function pathOf({ path }: CallTarget, input: UntypedInput): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(input.path?.[name] ?? ''));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {}))
    if (value !== undefined) query.set(name, String(value));
  return query.size === 0 ? filled : `${filled}?${query.toString()}`;
}

function headersOf(
  { token }: AdminServer,
  { body, ifMatch, idempotencyKey }: UntypedInput,
  accept: string,
  lastEventId: string | undefined,
): Record<string, string> {
  return {
    accept,
    authorization: `Bearer ${token()}`,
    'user-agent': 'canalctl',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(ifMatch !== undefined && { 'if-match': ifMatch }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
  };
}

async function problemOf(response: Response, where: string, limits: RequestLimits): Promise<AdminApiError> {
  const text = await readText(response, where, limits);
  const requestId = response.headers.get('x-request-id') ?? undefined;
  const retryAfter = response.headers.get('retry-after') ?? '';
  const retryAfterSeconds = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const details = {
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
  const problem =
    response.headers.get('content-type')?.startsWith('application/problem+json') === true && parse(text, where);
  if (!isProblem(problem)) {
    return new AdminApiError('broken', `${where}: ${response.status}, and not as the admin API says no`, details);
  }
  // The detail of a problem of one field may be the field's.
  const fields = (problem.errors ?? []).filter(({ detail }) => detail !== problem.detail);
  const errors = fields.map(({ pointer, detail }) => `; ${pointer}: ${detail}`).join('');
  return new AdminApiError('problem', `${problem.title}: ${problem.detail}${errors}`, { ...details, problem });
}

function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false;
  const { status, title, detail, errors } = value as Partial<Record<keyof Problem, unknown>>;
  const isText = typeof title === 'string' && typeof detail === 'string' && typeof status === 'number';
  return isText && (errors === undefined || Array.isArray(errors));
}

async function readText(response: Response, where: string, limits: RequestLimits): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new AdminApiError('broken', `${where}: more than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw failure(error, where, limits);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AdminApiError('broken', `${where}: the answer is no JSON`, { cause });
  }
}

/** What fetch, or a body, threw. */
export function failure(error: unknown, where: string, { signal, limit }: RequestLimits): unknown {
  if (error instanceof AdminApiError) return error;
  if (signal.aborted) return signal.reason;
  if (limit.aborted) return new AdminApiError('timeout', `${where}: no whole answer in time`, { cause: error });
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const isTls = typeof code === 'string' && /CERT|TLS|SSL|SIGNATURE|ISSUER/.test(code);
  return new AdminApiError(isTls ? 'untrusted' : 'unreachable', `${where}: ${message}`, { cause: error });
}
