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

/** Bearer tokens from a fixed list. Tokens are kept and compared as hashes, in constant time. */
export function authenticateTokens(tokens: readonly TokenEntry[]): Authenticate {
  const known = tokens.map((entry) => ({
    hash: sha256(entry.token),
    user: { name: entry.user, groups: [...(entry.groups ?? []), 'system:authenticated'] },
  }));
  return (request) => {
    const token = BEARER.exec(request.headers.get('Authorization') ?? '')?.[1];
    if (token === undefined) throw unauthorized();
    const hash = sha256(token);
    const found = known.filter((entry) => timingSafeEqual(entry.hash, hash));
    if (found[0] === undefined) throw unauthorized();
    return found[0].user;
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

const BEARER = /^Bearer +(\S+)$/i;
