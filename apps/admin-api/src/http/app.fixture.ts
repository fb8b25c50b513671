/** The application with handlers, tokens and a clock of the tests' own. */
import { ROUTES, openApiDocument, type JsonObject, type Role } from '@canal/admin-schema';
import { createPrometheusMetrics } from '@canal/telemetry';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { createCapturedLogger, createFakeClock, sampleOf, type CapturedLogger, type FakeClock } from '@canal/testing';
import type { FastifyInstance } from 'fastify';
import { mayAct } from '../access/access-rules.ts';
import type { Authority } from '../access/authority.ts';
import { createApiMetrics } from '../api-metrics.ts';
import { AuditLog } from '../audit-log.ts';
import { type Handlers, ProblemError } from '../handler.ts';
import { DEFAULT_LIMITS, type LimitOptions } from '../limits/limits.ts';
import { createApp } from './create-app.ts';

export interface TestApp {
  readonly app: FastifyInstance;
  readonly log: CapturedLogger;
  readonly clock: FakeClock;
  readonly audit: AuditLog;
}

export interface TestAppOptions {
  readonly handlers?: Partial<Handlers>;
  readonly limits?: Partial<LimitOptions>;
  readonly authority?: Authority;
  readonly clock?: FakeClock;
  /** Default: an answer that is not as its schema says is a fault. */
  readonly checkAnswers?: boolean;
}

/** No limit is in the way of a test that is not about it. */
export const WIDE_LIMITS: LimitOptions = {
  ...DEFAULT_LIMITS,
  client: { perSecond: 1e6, burst: 1e6 },
  total: { perSecond: 1e6, burst: 1e6 },
  anonymous: { perSecond: 1e6, burst: 1e6 },
  strangers: { perSecond: 1e6, burst: 1e6 },
};

export const VIEW = bearer('view');
export const ADMIN = bearer('admin');

/** Who has the token `token-of-ROLE` has the role. */
export function bearer(role: Role): { readonly authorization: string } {
  return { authorization: `Bearer token-of-${role}` };
}

const tokenAuthority: Authority = {
  authenticate: (token) => {
    if (token === 'token-without-kubernetes') return Promise.reject(new ProblemError('unavailable', 'no Kubernetes'));
    const role = /^token-of-(view|operate|admin|nobody)$/.exec(token)?.[1];
    return Promise.resolve(role === undefined ? undefined : { user: role, key: role });
  },
  isAllowed: ({ user }, _access, needed) => Promise.resolve(user !== 'nobody' && mayAct(user as Role, needed)),
};

export async function testApp({
  handlers = {},
  limits = {},
  authority,
  clock = createFakeClock(),
  checkAnswers = true,
}: TestAppOptions = {}): Promise<TestApp> {
  const log = createCapturedLogger();
  const audit = new AuditLog(log);
  const app = createApp({
    handlers: { ...sampleHandlers(), ...handlers },
    authority: authority ?? tokenAuthority,
    audit,
    limits: { ...WIDE_LIMITS, ...limits },
    clock,
    log,
    timeMs: () => Date.UTC(2026, 10, 21, 10),
    metrics: createApiMetrics(createPrometheusMetrics(), 'test'),
    readyz: () => ({ ok: false, text: 'not yet' }),
    version: 'test',
    checkAnswers,
  });
  await app.ready();
  return { app, log, clock, audit };
}

/** Each answers with the least that its schema takes. */
function sampleHandlers(): Handlers {
  const samples = ROUTES.map(({ id }) => {
    const body = sampleAnswer(id);
    const plain = () => Promise.resolve({ body });
    const stream = async function* () {
      yield { type: 'item', id: '1', data: body };
      await Promise.resolve();
      yield { type: 'resync', id: '2' };
    };
    return [id, id.startsWith('stream') ? stream : plain];
  });
  return Object.fromEntries(samples) as Handlers;
}

const DOCUMENT = openApiDocument(ROUTES, { version: 'test' });
const { schemas: SCHEMAS } = DOCUMENT['components'] as unknown as {
  readonly schemas: Readonly<Record<string, JsonObject>>;
};

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonObject }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: JsonObject }>> }>
  >;
}

export function operationOf(id: string): Operation {
  const paths = DOCUMENT['paths'] as unknown as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  const found = Object.values(paths)
    .flatMap((methods) => Object.values(methods))
    .find(({ operationId }) => operationId === id);
  if (found === undefined) throw new Error(`no operation ${id}`);
  return found;
}

export function sampleAnswer(id: string): unknown {
  const content = Object.values(operationOf(id).responses['200']?.content ?? {})[0];
  return content && sampleOf(content.schema, SCHEMAS);
}

/** A body that a route takes. */
export function sampleBody(id: string): unknown {
  const schema = operationOf(id).requestBody?.content['application/json']?.schema;
  return schema && sampleOf(schema, SCHEMAS);
}
