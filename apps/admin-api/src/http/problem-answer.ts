/** Whatever goes wrong, as a problem (RFC 9457). */
import { problem, type ProblemName } from '@canal/admin-schema';
import { ProblemError } from '../handler.ts';
import { MAX_BODY_BYTES } from './json-body.ts';

export interface ProblemAnswer {
  readonly name: ProblemName;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** More would only make the answer longer. */
const MAX_ERRORS = 20;

export function problemAnswer(error: ProblemError, instance: string): ProblemAnswer {
  const name = error.problem;
  const errors = error.errors?.slice(0, MAX_ERRORS);
  const body = problem(name, { detail: error.message, instance, ...(errors !== undefined && { errors }) });
  const { retryAfterSeconds } = error;
  return {
    name,
    status: body.status,
    headers: {
      'content-type': PROBLEM_MEDIA_TYPE,
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
      ...(name === 'unauthenticated' && { 'www-authenticate': 'Bearer realm="canal"' }),
    },
    text: JSON.stringify(body),
  };
}

/** Of what fastify throws by its code; everything else is a fault of ours, of which the client learns nothing. */
export function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const { code, statusCode } = (error ?? {}) as { readonly code?: unknown; readonly statusCode?: unknown };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ProblemError('too-large', `the body has more than ${MAX_BODY_BYTES} bytes`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
      return unsupportedMediaType();
    case 'FST_ERR_BAD_URL':
      return new ProblemError('bad-request', 'the path is not percent-encoded UTF-8');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new ProblemError('bad-request', 'the body is not as long as Content-Length says');
  }
  const isClients =
    typeof code === 'string' &&
    code.startsWith('FST_') &&
    typeof statusCode === 'number' &&
    statusCode >= 400 &&
    statusCode < 500;
  if (isClients) return new ProblemError('bad-request', 'the request cannot be read');
  return new ProblemError('internal', 'a fault of the API; its log names it by the id of this request');
}

export function unsupportedMediaType(): ProblemError {
  return new ProblemError('unsupported-media-type', 'send the body as Content-Type: application/json');
}
