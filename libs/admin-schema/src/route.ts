/** One operation of the API as data: what the server registers, the document shows and a client calls. */
import type * as z from 'zod';
import type { ProblemName } from './problem.ts';

/** Roles that ClusterRoles of the same names give; each may do what the one before it may. */
export const ROLES = ['view', 'operate', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A stream is text/event-stream; each event's data is one value of the schema. Its events are named `event`. */
export interface RouteAnswer {
  readonly status: 200 | 201 | 202 | 204;
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly stream?: boolean;
  readonly event?: string;
}

export interface RouteContract {
  /** operationId, and name in clients. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** As in OpenAPI: `/v1/nodes/{name}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** Undefined: for everybody, without a token. */
  readonly role: Role | undefined;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer: RouteAnswer;
  /** Beside those that every route can have: see `problemsOf`. */
  readonly problems?: readonly ProblemName[];
  /** A write of something that has an ETag: If-Match is needed. */
  readonly ifMatch?: boolean;
  /** A write that can be tried: `?dryRun=true`. */
  readonly dryRun?: boolean;
}

/** All problems that a route can answer with, by what it takes. */
export function problemsOf(route: RouteContract): readonly ProblemName[] {
  const { method, role, params, body, problems = [], ifMatch = false } = route;
  // A parameter that a route does not know is refused, on every route: a misspelt `dryRun` must not write.
  const always = ['bad-request', 'invalid', 'too-many-requests', 'internal', 'not-acceptable'] as const;
  const names = new Set<ProblemName>([...always, ...problems]);
  if (role !== undefined) for (const name of ['unauthenticated', 'forbidden', 'unavailable'] as const) names.add(name);
  if (params !== undefined) names.add('not-found');
  if (body !== undefined) for (const name of ['too-large', 'unsupported-media-type'] as const) names.add(name);
  if (method === 'POST') names.add('idempotency-mismatch');
  if (ifMatch) for (const name of ['precondition-failed', 'precondition-required'] as const) names.add(name);
  return [...names].sort();
}
