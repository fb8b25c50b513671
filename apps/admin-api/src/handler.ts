/** What answers an operation, apart from HTTP: one handler a route of admin-schema, typed by the route's schemas. */
import type { Problem, ProblemName, ROUTES } from '@canal/admin-schema';
import type * as z from 'zod';

export type OperationId = (typeof ROUTES)[number]['id'];

type RouteOf<Id extends OperationId> = Extract<(typeof ROUTES)[number], { readonly id: Id }>;
type Output<T> = T extends z.ZodType ? z.output<T> : undefined;
type Field<Route, Name extends string> = Route extends { readonly [Key in Name]: infer T } ? Output<T> : undefined;
type AnswerBody<Route> = Route extends { readonly answer: { readonly schema: infer T } } ? Output<T> : undefined;
type IsStream<Route> = Route extends { readonly answer: { readonly stream: true } } ? true : false;

export interface Call<Id extends OperationId> {
  readonly params: Field<RouteOf<Id>, 'params'>;
  readonly query: Field<RouteOf<Id>, 'query'>;
  readonly body: Field<RouteOf<Id>, 'body'>;
  /** As TokenReview, or the token file, names who asks. */
  readonly user: string;
  readonly requestId: string;
  /** False on routes that cannot be tried. */
  readonly dryRun: boolean;
  /** Entity tags of If-Match, without quotes; undefined where the route needs none. */
  readonly ifMatch: readonly string[] | undefined;
  /** Id of the last event that the client of a stream has seen. */
  readonly lastEventId: string | undefined;
  /** Aborts when the client is gone, the time is over, or the server ends. */
  readonly signal: AbortSignal;
}

export interface Answer<Body> {
  readonly body: Body;
  /** Strong entity tag, without quotes. */
  readonly etag?: string;
  /** Of a write: what the audit record says of it. */
  readonly audit?: { readonly object: string; readonly changes: readonly string[] };
}

/** An event of a stream; `resync`: the client has missed some and should read anew. */
export type StreamEvent<Body> =
  | { readonly type: 'item'; readonly id: string; readonly data: Body }
  | { readonly type: 'resync'; readonly id: string };

export type Handler<Id extends OperationId> =
  IsStream<RouteOf<Id>> extends true
    ? (call: Call<Id>) => AsyncIterable<StreamEvent<AnswerBody<RouteOf<Id>>>>
    : (call: Call<Id>) => Promise<Answer<AnswerBody<RouteOf<Id>>>>;

export type Handlers = { readonly [Id in OperationId]: Handler<Id> };

/** What a handler throws when it cannot answer; everything else that it throws is a fault of the API. */
export class ProblemError extends Error {
  readonly problem: ProblemName;
  readonly errors: Problem['errors'];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    problem: ProblemName,
    detail: string,
    more: { readonly errors?: Problem['errors']; readonly retryAfterSeconds?: number } = {},
  ) {
    super(detail);
    this.problem = problem;
    this.errors = more.errors;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}
