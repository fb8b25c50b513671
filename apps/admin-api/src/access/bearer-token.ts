import { createHash } from 'node:crypto';

/** RFC 6750 §2.1. A Kubernetes token is about 1 KiB; those with many groups are longer. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const MAX_TOKEN_CHARS = 16_384;

/** Of an Authorization header; undefined when it is of another scheme or no token. */
export function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined || header.length > MAX_TOKEN_CHARS) return undefined;
  return BEARER.exec(header)?.[1];
}

/** What tokens are kept and compared by: the process holds no token longer than a request. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
