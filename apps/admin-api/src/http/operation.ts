/** One route of the contract as fastify has it: checks in their order, then the handler, then its answer. */
import { type ProblemName, PROBLEMS, type RouteContract } from '@canal/admin-schema';
import type { Clock, Logger } from '@canal/runtime-port';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import * as z from 'zod';
import { accessOf } from '../access/access-rules.ts';
import type { Gate } from '../access/gate.ts';
import type { AuditLog } from '../audit-log.ts';
import { type Answer, ProblemError, type StreamEvent } from '../handler.ts';
import type { Limits } from '../limits/limits.ts';
import { formatEntityTag, matchesNone, parseEntityTags } from './entity-tag.ts';
import { writeEventStream } from './event-stream.ts';
import { holdUntilOver } from './exchange.ts';
import { type IdempotencyKeys, isIdempotencyKey, type KeptAnswer } from './idempotency.ts';
import { describeFault } from './log-safety.ts';
import { accepts, isJsonContentType } from './media-type.ts';
import { PartSchema, valueOf } from './parsed.ts';
import { asProblem, problemAnswer, unsupportedMediaType } from './problem-answer.ts';

/** A handler of any route; `Handlers` says what each is given and gives. */
export type AnyHandler = (call: AnyCall) => Promise<Answer<unknown>> | AsyncIterable<StreamEvent<unknown>>;

interface AnyCall {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly user: string;
  readonly requestId: string;
  readonly dryRun: boolean;
  readonly ifMatch: readonly string[] | undefined;
  readonly lastEventId: string | undefined;
  readonly signal: AbortSignal;
}

export interface OperationDeps {
  readonly gate: Gate;
  readonly limits: Limits;
  readonly audit: AuditLog;
  readonly idempotency: IdempotencyKeys;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds since the epoch, for what people read. */
  readonly timeMs: () => number;
  /** Checks each answer against its schema: in tests. Else it is only serialised. */
  readonly checkAnswers: boolean;
  readonly handlerTimeoutMs: number;
  readonly stallMs: number;
  readonly onStreamEnd: (how: string) => void;
  /** Writes under way. */
  readonly writes: Set<Promise<unknown>>;
}

const dryRunQuery = { dryRun: z.enum(['true', 'false']).optional() };
const MAX_EVENT_ID_CHARS = 256;
/** A stream that fails at once answers with a problem; one that does not has begun. */
const STREAM_START_MS = 50;

export function operationRoute(route: RouteContract, handler: AnyHandler, deps: OperationDeps): RouteOptions {
  const { method, path, role, body, answer } = route;
  const mediaType = answer.stream === true ? 'text/event-stream' : 'application/json';
  const query = route.query ?? z.strictObject({});
  return {
    method,
    url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
    schema: {
      ...(route.params !== undefined && { params: new PartSchema('path', route.params) }),
      querystring: new PartSchema('query', route.dryRun === true ? query.extend(dryRunQuery) : query),
      ...(body !== undefined && { body: new PartSchema('body', body) }),
    },
    onRequest: async (request) => {
      const { exchange } = request;
      exchange.operation = route.id;
      if (role !== undefined) {
        const caller = {
          authorization: request.headers.authorization,
          identity: exchange.identity,
          address: request.ip,
        };
        exchange.subject = await deps.gate.authenticate(caller);
        await deps.gate.authorize(exchange.subject, accessOf(route), role);
      } else deps.limits.admitAnonymous(request.ip);
      if (!accepts(request.headers.accept, mediaType)) {
        throw new ProblemError('not-acceptable', `this route answers with ${mediaType} alone`);
      }
      checkBody(request, body !== undefined);
      if (route.ifMatch === true && request.headers['if-match'] === undefined) {
        throw new ProblemError('precondition-required', 'send If-Match with the ETag that a GET has given');
      }
      exchange.gone.throwIfAborted();
      holdUntilOver(exchange, deps.limits.enter(body !== undefined));
    },
    handler: answer.stream === true ? streamHandler(route, handler, deps) : plainHandler(route, handler, deps),
    // What was refused before it came to the handler. Not when the answer is out: a client may not wait for it.
    onError: (request, _reply, error, done) => {
      const { subject, isRecorded } = request.exchange;
      if (isWrite(route) && subject !== undefined && !isRecorded) recordWrite(route, request, deps, statusOf(error));
      done();
    },
  };
}

function checkBody({ headers }: FastifyRequest, isNeeded: boolean): void {
  if (isNeeded) {
    if (!isJsonContentType(headers['content-type'])) throw unsupportedMediaType();
    return;
  }
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
  if (hasBody) throw new ProblemError('bad-request', 'this request takes no body');
}

function callOf(route: RouteContract, request: FastifyRequest, signal: AbortSignal): AnyCall {
  const { headers, exchange } = request;
  const { dryRun, ...query } = valueOf(request.query) as Readonly<Record<string, unknown>>;
  return {
    params: route.params === undefined ? undefined : valueOf(request.params),
    query: route.query === undefined ? undefined : query,
    body: route.body === undefined ? undefined : valueOf(request.body),
    user: exchange.subject?.user ?? '',
    requestId: request.id,
    dryRun: dryRun === 'true',
    ifMatch: route.ifMatch === true ? strongTags(headers['if-match'] ?? '') : undefined,
    lastEventId: route.answer.stream === true ? lastEventId(headers['last-event-id']) : undefined,
    signal,
  };
}

/** Weak tags match nothing here (RFC 9110 §13.1.1). */
function strongTags(header: string): readonly string[] {
  const given = parseEntityTags(header);
  if (given === undefined) throw new ProblemError('bad-request', 'If-Match is no list of entity tags, such as "abc"');
  if (given.any)
    throw new ProblemError('precondition-required', 'If-Match: * says nothing of what was read: send the ETag');
  return given.tags.filter(({ weak }) => !weak).map(({ tag }) => tag);
}

function lastEventId(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' && header.length <= MAX_EVENT_ID_CHARS ? header : undefined;
}

function plainHandler(route: RouteContract, handler: AnyHandler, deps: OperationDeps): RouteOptions['handler'] {
  return async (request, reply) => {
    const made = await keptOrMade(request, deps, () => madeAnswer(route, handler, request, deps));
    return await reply.code(made.status).headers(made.headers).send(made.text);
  };
}

/** Refusals that another try may not meet. */
const MAY_PASS: ReadonlySet<ProblemName> = new Set(['internal', 'unavailable', 'too-many-requests']);

async function keptOrMade(
  request: FastifyRequest,
  deps: OperationDeps,
  work: () => Promise<KeptAnswer>,
): Promise<KeptAnswer> {
  const key = request.headers['idempotency-key'];
  if (request.method !== 'POST' || key === undefined) return await work();
  if (typeof key !== 'string' || !isIdempotencyKey(key)) {
    throw new ProblemError('bad-request', 'Idempotency-Key has 1 to 128 visible characters');
  }
  const { subject, body } = request.exchange;
  return await deps.idempotency.once(
    { user: subject?.user ?? '', key, method: request.method, url: request.url, body },
    async () => {
      try {
        return await work();
      } catch (error) {
        // A refusal is an answer too, and given again.
        const known = asProblem(error);
        if (MAY_PASS.has(known.problem)) throw error;
        return problemAnswer(known, request.id);
      }
    },
  );
}

async function madeAnswer(
  route: RouteContract,
  handler: AnyHandler,
  request: FastifyRequest,
  deps: OperationDeps,
): Promise<KeptAnswer> {
  const work = (signal: AbortSignal) => handler(callOf(route, request, signal)) as Promise<Answer<unknown>>;
  const { body, etag } = await inTime(route, request, deps, (signal) => {
    if (!isWrite(route)) return work(signal);
    const writing = recorded(route, request, deps, () => work(signal));
    deps.writes.add(writing);
    const end = (): boolean => deps.writes.delete(writing);
    writing.then(end, end);
    return writing;
  });
  const next = typeof body === 'object' && body !== null && 'next' in body ? body.next : undefined;
  const headers = {
    ...(etag !== undefined && { etag: formatEntityTag(etag) }),
    ...(typeof next === 'string' && { link: `<${pageUrl(request.url, next)}>; rel="next"` }),
  };
  if (etag !== undefined && route.method === 'GET' && !matchesNone(request.headers['if-none-match'], etag)) {
    return { status: 304, headers, text: '' };
  }
  const { schema, status } = route.answer;
  if (schema === undefined) return { status, headers, text: '' };
  if (deps.checkAnswers) schema.parse(body);
  return { status, headers: { ...headers, 'content-type': 'application/json' }, text: JSON.stringify(body) };
}

/** A write is recorded when it has ended, whether somebody still waits for the answer or not. */
async function recorded(
  route: RouteContract,
  request: FastifyRequest,
  deps: OperationDeps,
  work: () => Promise<Answer<unknown>>,
): Promise<Answer<unknown>> {
  try {
    const answer = await work();
    recordWrite(route, request, deps, route.answer.status, answer.audit);
    return answer;
  } catch (error) {
    recordWrite(route, request, deps, statusOf(error));
    throw error;
  }
}

/** Throws `unavailable` when the time is over, whether the handler hears its signal or not. */
async function inTime<T>(
  route: RouteContract,
  request: FastifyRequest,
  deps: OperationDeps,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { gone } = request.exchange;
  gone.throwIfAborted();
  const stop = new AbortController();
  const onGone = (): void => stop.abort(gone.reason);
  // Half a write would be worse than one that nobody waits for.
  if (!isWrite(route)) gone.addEventListener('abort', onGone, { once: true });
  const late = deps.clock.sleep(deps.handlerTimeoutMs, stop.signal).then(
    () => true,
    () => false,
  );
  try {
    const working = work(stop.signal);
    const outcome = await Promise.race([working.then((value) => ({ value })), late]);
    if (typeof outcome === 'object') return outcome.value;
    // Its failure after that is nobody's.
    working.catch(() => undefined);
    const why = outcome ? `there was no answer within ${deps.handlerTimeoutMs} ms` : 'the client is gone';
    deps.log.warn({ request: request.id, operation: request.exchange.operation }, why);
    throw new ProblemError('unavailable', why, { retryAfterSeconds: 5 });
  } finally {
    gone.removeEventListener('abort', onGone);
    stop.abort(new Error('over'));
  }
}

function pageUrl(url: string, cursor: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const params = new URLSearchParams(query);
  params.set('cursor', cursor);
  return `${path}?${params.toString()}`;
}

function streamHandler(route: RouteContract, handler: AnyHandler, deps: OperationDeps): RouteOptions['handler'] {
  const { clock, limits, stallMs, checkAnswers } = deps;
  const { event = 'message', schema } = route.answer;
  return async (request, reply) => {
    const { exchange } = request;
    // A stream is not a request under way for its whole life: it has a limit of its own.
    for (const release of exchange.releases.splice(0)) release();
    exchange.gone.throwIfAborted();
    holdUntilOver(exchange, limits.openStream(exchange.subject?.user ?? ''));
    const stop = new AbortController();
    exchange.gone.addEventListener('abort', () => stop.abort(exchange.gone.reason), { once: true });
    const call = callOf(route, request, stop.signal);
    const events = checked(handler(call) as AsyncIterable<StreamEvent<unknown>>, checkAnswers ? schema : undefined);
    const first = events.next();
    const started = new AbortController();
    // Throws here what fails at once.
    await Promise.race([first, clock.sleep(STREAM_START_MS, started.signal).catch(() => undefined)]).finally(() =>
      started.abort(),
    );
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...headersOf(reply),
      'content-type': 'text/event-stream',
      // Of proxies that would hold events back.
      'x-accel-buffering': 'no',
    });
    const options = { event, clock, signal: stop.signal, stallMs };
    const end = await writeEventStream(raw, resumed(first, events), options).catch((error: unknown) => {
      deps.log.warn({ request: request.id, operation: route.id, fault: describeFault(error) }, 'stream broken off');
      return 'failed';
    });
    stop.abort(new Error('over'));
    deps.onStreamEnd(end);
  };
}

function headersOf(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));
}

async function* checked(
  events: AsyncIterable<StreamEvent<unknown>>,
  schema: z.ZodType | undefined,
): AsyncGenerator<StreamEvent<unknown>, void> {
  for await (const event of events) {
    if (event.type === 'item') schema?.parse(event.data);
    yield event;
  }
}

/** The iterator with its first step taken already. */
function resumed<T>(first: Promise<IteratorResult<T>>, rest: AsyncIterator<T>): AsyncIterator<T> {
  let isFirst = true;
  return {
    next() {
      if (!isFirst) return rest.next();
      isFirst = false;
      return first;
    },
    return: () => rest.return?.() ?? Promise.resolve({ done: true, value: undefined }),
  };
}

/** What changes nothing needs no record, whatever its method. */
function isWrite({ method, role }: RouteContract): boolean {
  return method !== 'GET' && role !== 'view' && role !== undefined;
}

function statusOf(error: unknown): number {
  return PROBLEMS[asProblem(error).problem].status;
}

/** What the handler has not said of the write the request says. */
function recordWrite(
  route: RouteContract,
  request: FastifyRequest,
  deps: OperationDeps,
  status: number,
  audit: Answer<unknown>['audit'] = { object: request.url.split('?', 1)[0] ?? '', changes: [] },
): void {
  request.exchange.isRecorded = true;
  const { object, changes } = audit;
  const { user = '', credential } = request.exchange.subject ?? {};
  deps.audit.add({
    time: new Date(deps.timeMs()).toISOString(),
    requestId: request.id,
    user,
    ...(credential !== undefined && { credential }),
    operation: route.id,
    object,
    dryRun: /[?&]dryRun=true(?:&|$)/.test(request.url),
    status,
    changes: [...changes],
  });
}
