/** The API over HTTP, apart from sockets: routes, conventions, errors. `inject` of the result is how tests ask it. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { openApiDocument, type RouteContract, ROUTES } from '@canal/admin-schema';
import type { Clock, Logger } from '@canal/runtime-port';
import type { HealthAnswer } from '@canal/telemetry';
import {
  fastify,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
} from 'fastify';
import { METRICS_ACCESS } from '../access/access-rules.ts';
import type { Authority } from '../access/authority.ts';
import { Gate } from '../access/gate.ts';
import type { ApiMetrics } from '../api-metrics.ts';
import type { AuditLog } from '../audit-log.ts';
import { type Handlers, ProblemError } from '../handler.ts';
import { type LimitOptions, Limits } from '../limits/limits.ts';
import type { ClientIdentity } from '../tls/client-certificate.ts';
import { createAllowedMethods } from './allowed-methods.ts';
import { ANSWER_HEADERS } from './answer-headers.ts';
import { docsPage } from './docs-page.ts';
import { formatEntityTag, matchesNone } from './entity-tag.ts';
import { NO_BODY } from './exchange.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { MAX_BODY_BYTES, parseJsonBody } from './json-body.ts';
import { describeFault } from './log-safety.ts';
import { type AnyHandler, type OperationDeps, operationRoute } from './operation.ts';
import { compileValidator, JsonBody, type PartSchema } from './parsed.ts';
import { asProblem, problemAnswer } from './problem-answer.ts';
import { requestId } from './request-id.ts';

export interface AppDeps {
  readonly handlers: Handlers;
  readonly authority: Authority;
  readonly audit: AuditLog;
  readonly limits: LimitOptions;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timeMs: () => number;
  readonly metrics: ApiMetrics;
  readonly readyz: () => HealthAnswer;
  readonly version: string;
  /** In tests: an answer that is not as its schema says is a fault. */
  readonly checkAnswers?: boolean;
  readonly handlerTimeoutMs?: number;
  readonly stallMs?: number;
  /** Who a client is by its certificate; absent: none are asked for. */
  readonly identityOf?: (socket: Socket) => ClientIdentity | undefined;
  /** Absent: no sockets. */
  readonly serverFactory?: FastifyServerFactory;
  /** What the parser of HTTP refuses. */
  readonly onClientError?: (error: Error, socket: Socket) => void;
}

const HANDLER_TIMEOUT_MS = 20_000;
/** Within the grace that the manifest gives the pod. */
const LAST_WRITES_MS = 3_000;
/** What becomes of a request that nobody waits for. */
const GONE = new ProblemError('unavailable', 'the client is gone');
const STALL_MS = 8_000;
/** Longer ones are in no route: names have at most 253 characters. */
const MAX_PARAM_CHARS = 300;

export function createApp(deps: AppDeps): FastifyInstance {
  const { clock, log, metrics, authority } = deps;
  const limits = new Limits(clock, deps.limits);
  const gate = new Gate({ authority, limits, clock });
  const noCompiler = (): never => {
    throw new Error('no schema is compiled but by zod');
  };
  const app = fastify({
    logger: false,
    trustProxy: false,
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: ({ headers }) => requestId(headers['x-request-id']),
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    // Else fastify loads ajv and fast-json-stringify.
    schemaController: { compilersFactory: { buildValidator: () => noCompiler, buildSerializer: () => noCompiler } },
    frameworkErrors: (error, request, reply) => answerProblem(error, request, reply, log),
    ...(deps.serverFactory !== undefined && { serverFactory: deps.serverFactory }),
    ...(deps.onClientError !== undefined && { clientErrorHandler: deps.onClientError }),
  });
  app.setValidatorCompiler(({ schema }) => compileValidator(schema as unknown as PartSchema));
  app.setErrorHandler((error, request, reply) => answerProblem(error, request, reply, log));
  addBodyParser(app);

  app.decorateRequest('exchange');
  app.addHook('onRequest', async (request, reply) => {
    const over = new AbortController();
    request.exchange = {
      startedMs: clock.nowMs(),
      operation: 'none',
      identity: deps.identityOf?.(request.raw.socket),
      subject: undefined,
      body: NO_BODY,
      gone: over.signal,
      releases: [],
      isRecorded: false,
    };
    reply.raw.once('close', () => {
      over.abort(GONE);
      for (const release of request.exchange.releases.splice(0)) release();
    });
    reply.headers({ ...ANSWER_HEADERS, 'x-request-id': request.id });
    // RFC 9112 §3.2; the runtime's parser lets it pass.
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined) {
      throw new ProblemError('bad-request', 'a request of HTTP/1.1 has a header Host');
    }
    if (PROBES.has(request.url)) return;
    if (request.is404) answerUnknown(request);
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { startedMs, operation, subject } = request.exchange;
    const seconds = (clock.nowMs() - startedMs) / 1000;
    metrics.requests.inc({ operation, status: String(reply.statusCode) });
    metrics.duration.observe(seconds, { operation });
    const fields = {
      request: request.id,
      method: request.method,
      operation,
      status: reply.statusCode,
      user: subject?.user,
      seconds,
    };
    log.debug(fields, 'request');
    done();
  });

  const operations: OperationDeps = {
    gate,
    limits,
    audit: deps.audit,
    idempotency: new IdempotencyKeys(clock),
    clock,
    log,
    timeMs: deps.timeMs,
    checkAnswers: deps.checkAnswers ?? false,
    handlerTimeoutMs: deps.handlerTimeoutMs ?? HANDLER_TIMEOUT_MS,
    stallMs: deps.stallMs ?? STALL_MS,
    onStreamEnd: (how) => metrics.streamEnds.inc({ how }),
    writes: new Set(),
  };
  // Who ends the program does not end a write that is half done, nor keep its record from the log.
  app.addHook('onClose', async () => {
    const end = new AbortController();
    const late = clock.sleep(LAST_WRITES_MS, end.signal).catch(() => undefined);
    await Promise.race([Promise.allSettled(operations.writes), late]);
    end.abort();
  });
  for (const route of ROUTES)
    app.route(operationRoute(route, deps.handlers[route.id] as unknown as AnyHandler, operations));
  addOwnPages(app, deps, gate, limits);

  const allowedMethods = createAllowedMethods([...ROUTES, ...OWN_PATHS.map((path) => ({ method: 'GET', path }))]);
  function answerUnknown(request: FastifyRequest): never {
    limits.admitAnonymous(request.ip);
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = allowedMethods(path);
    if (methods.length === 0) throw new ProblemError('not-found', 'there is no such path; /openapi.json lists them');
    throw new MethodError(methods);
  }
  app.setNotFoundHandler((request) => answerUnknown(request));
  return app;
}

const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz']);
const OWN_PATHS = ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs'];

class MethodError extends ProblemError {
  readonly allow: string;

  constructor(methods: readonly string[]) {
    super('method-not-allowed', `this path takes ${methods.join(', ')}`);
    this.allow = methods.join(', ');
  }
}

/** One parser for whatever comes: the type has been looked at before, by ourselves. */
function addBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (request, bytes, done) => {
    request.exchange.body = bytes;
    try {
      done(null, new JsonBody(parseJsonBody(bytes), bytes));
    } catch (error) {
      done(error as Error);
    }
  });
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  // Of a body that the client, or the guard, has cut off: nobody is there to read the answer.
  const isCut = request.raw.destroyed && !request.raw.complete;
  const known = isCut ? new ProblemError('bad-request', 'the request was cut off') : asProblem(error);
  const { status, headers, text } = problemAnswer(known, request.id);
  if (known.problem === 'internal') {
    log.error(
      { request: request.id, method: request.method, operation: operationOf(request), fault: describeFault(error) },
      'fault',
    );
  }
  reply.code(status).headers({
    ...ANSWER_HEADERS,
    'x-request-id': request.id,
    ...headers,
    ...(error instanceof MethodError && { allow: error.allow }),
    // A body that nobody will read: the connection is of no use any more.
    ...(!request.raw.complete && { connection: 'close' }),
  });
  reply.send(text);
}

/** Errors of the router come before the first hook. */
function operationOf(request: FastifyRequest): string {
  return (request.exchange as FastifyRequest['exchange'] | undefined)?.operation ?? 'none';
}

function addOwnPages(
  app: FastifyInstance,
  { clock, version, metrics, readyz }: AppDeps,
  gate: Gate,
  limits: Limits,
): void {
  const page = docsPage(ROUTES, version);
  // Made when somebody wants it first.
  let document: { readonly text: string; readonly etag: string } | undefined;
  const started = clock.nowMs();

  app.get('/livez', (_request, reply) =>
    sendPlain(reply, { ok: true, text: `up for ${Math.floor((clock.nowMs() - started) / 1000)} s` }),
  );
  app.get('/readyz', (_request, reply) => sendPlain(reply, readyz()));
  app.get('/metrics', async (request, reply) => {
    request.exchange.operation = 'metrics';
    const caller = {
      authorization: request.headers.authorization,
      identity: request.exchange.identity,
      address: request.ip,
    };
    request.exchange.subject = await gate.authenticate(caller);
    await gate.authorize(request.exchange.subject, METRICS_ACCESS, 'view');
    return await reply
      .type(metrics.contentType)
      .send(await metrics.render({ streams: limits.streams, inFlight: limits.inFlight }));
  });
  app.get('/openapi.json', async (request, reply) => {
    limits.admitAnonymous(request.ip);
    document ??= withEtag(JSON.stringify(openApiDocument(ROUTES satisfies readonly RouteContract[], { version })));
    reply.header('etag', formatEntityTag(document.etag));
    if (!matchesNone(request.headers['if-none-match'], document.etag)) return await reply.code(304).send();
    return await reply.header('content-type', 'application/json').send(document.text);
  });
  app.get('/docs', async (request, reply) => {
    limits.admitAnonymous(request.ip);
    const headers = {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': page.policy,
      'referrer-policy': 'no-referrer',
    };
    return await reply.headers(headers).send(page.html);
  });
}

function withEtag(text: string): { readonly text: string; readonly etag: string } {
  return { text, etag: createHash('sha256').update(text).digest('base64url') };
}

function sendPlain(reply: FastifyReply, { ok, text }: HealthAnswer): FastifyReply {
  return reply
    .code(ok ? 200 : 503)
    .type('text/plain; charset=utf-8')
    .send(`${text}\n`);
}
