import { createHash, timingSafeEqual } from 'node:crypto';

import { unauthorized } from './api-error.ts';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** One bearer token and who it stands for. */
export interface TokenEntry {
  readonly token: string;
  readonly user: string;
  readonly groups?: readonly string[];
  /** For these services, which ask for it by TokenReview, and not for this API. */
  readonly audiences?: readonly string[];
}

export type Authenticate = (request: Request) => User;

/** What a request wants to do, in the words of Kubernetes' authorization. */
export interface AccessRequest {
  readonly user: User;
  readonly verb: string;
  readonly path: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Returns why the request is refused, or undefined to let it pass. */
export type Authorize = (request: AccessRequest) => string | undefined;

/** Every authenticated user may do everything. */
export const allowAuthenticated: Authorize = () => undefined;

export interface KnownToken {
  readonly user: User;
  /** Absent: it is for this API. */
  readonly audiences?: readonly string[];
}

export type FindToken = (token: string) => KnownToken | undefined;

/** Tokens from a fixed list, kept and compared as hashes, in constant time. */
export function tokenFinder(tokens: readonly TokenEntry[]): FindToken {
  const known = tokens.map(({ token, user, groups = [], audiences }) => ({
    hash: sha256(token),
    user: { name: user, groups: [...groups, 'system:authenticated'] },
    ...(audiences && { audiences }),
  }));
  return (token) => {
    const hash = sha256(token);
    return known.filter((entry) => timingSafeEqual(entry.hash, hash))[0];
  };
}

/** Bearer tokens that are for this API. */
export function authenticateTokens(find: FindToken): Authenticate {
  return (request) => {
    const token = BEARER.exec(request.headers.get('Authorization') ?? '')?.[1];
    const found = token === undefined ? undefined : find(token);
    if (found === undefined || found.audiences !== undefined) throw unauthorized();
    return found.user;
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

const BEARER = /^Bearer +(\S+)$/i;
