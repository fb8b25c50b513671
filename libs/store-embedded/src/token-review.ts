/** TokenReview: who a token stands for, asked by a service that was shown it. Nothing of it is stored. */
import { badRequest, forbidden, methodNotAllowed } from './api-error.ts';
import type { Authorize, FindToken, User } from './authentication.ts';
import { childOf, isJson, textOf } from './json.ts';
import { type BodyLimits, readJsonBody } from './request-body.ts';
import type { ResourcePath } from './request-path.ts';
import { jsonResponse } from './response.ts';

const GROUP = 'authentication.k8s.io';

export interface TokenReviewDeps {
  readonly authorize: Authorize;
  readonly findToken: FindToken;
  readonly limits: BodyLimits;
}

export function isTokenReview({ group, version, plural, name }: ResourcePath): boolean {
  return group === GROUP && version === 'v1' && plural === 'tokenreviews' && name === undefined;
}

export async function serveTokenReview(
  { authorize, findToken, limits }: TokenReviewDeps,
  request: Request,
  user: User,
): Promise<Response> {
  if (request.method !== 'POST') throw methodNotAllowed(request.method);
  const path = new URL(request.url).pathname;
  const refused = authorize({ user, verb: 'create', path, group: GROUP, resource: 'tokenreviews' });
  if (refused !== undefined)
    throw forbidden({ group: GROUP, plural: 'tokenreviews', kind: 'TokenReview' }, '', refused);
  const review = await readJsonBody(request, ['application/json'], limits);
  const spec = childOf(review, 'spec');
  const token = textOf(spec, 'token');
  if (!isJson(review) || token === '') throw badRequest('token is required for TokenReview in authentication');
  const asked = Array.isArray(spec['audiences']) ? spec['audiences'] : [];
  const found = findToken(token);
  const audiences = found?.audiences?.filter((audience) => asked.includes(audience)) ?? [];
  const isForWhoAsks =
    found !== undefined && (asked.length === 0 ? found.audiences === undefined : audiences.length > 0);
  const status = isForWhoAsks
    ? {
        authenticated: true,
        user: { username: found.user.name, groups: found.user.groups },
        ...(asked.length > 0 && { audiences }),
      }
    : { user: {}, error: 'the token is not known, or not for these audiences' };
  return jsonResponse(`${JSON.stringify({ ...review, status })}\n`, 201);
}
