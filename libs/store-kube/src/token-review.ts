import { StoreError } from '@canal/store-port';

import type { KubeConnection } from './connection.ts';
import { send } from './request.ts';
import type { Secret } from './secret.ts';

/**
 * The user that a token stands for (TokenReview), if it was made for this audience; undefined: the API server does not
 * know it, or it is for others. Rejects with `StoreError` when that cannot be told.
 */
export async function reviewToken(
  connection: KubeConnection,
  token: Secret,
  audience: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: token.reveal(), audiences: [audience] },
  };
  const request = { method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews', body } as const;
  const answer = await send(connection, request, signal);
  const review: unknown = await answer.json().catch((error: unknown) => {
    throw new StoreError('unavailable', `POST ${request.path}: the answer was cut`, { cause: error });
  });
  const status = member(review, 'status');
  const user = member(member(status, 'user'), 'username');
  const audiences = member(status, 'audiences');
  // A server that knows no audiences answers none: its yes is for itself.
  const isForUs = Array.isArray(audiences) && audiences.includes(audience);
  if (member(status, 'authenticated') !== true || !isForUs) return undefined;
  return typeof user === 'string' && user !== '' ? user : undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
