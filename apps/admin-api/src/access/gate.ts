/** From the header Authorization to a subject that may do what it asks for. */
import type { Role } from '@canal/admin-schema';
import type { Clock } from '@canal/runtime-port';
import { ProblemError } from '../handler.ts';
import type { Limits } from '../limits/limits.ts';
import type { ClientIdentity } from '../tls/client-certificate.ts';
import type { ResourceAccess } from './access-rules.ts';
import type { Authority, Subject } from './authority.ts';
import { bearerToken, tokenHash } from './bearer-token.ts';
import { ExpiringCache } from './expiring-cache.ts';

export interface GateDeps {
  readonly authority: Authority;
  readonly limits: Limits;
  readonly clock: Clock;
}

export interface Caller {
  readonly authorization: string | undefined;
  /** Of the certificate that the connection has shown. */
  readonly identity?: ClientIdentity | undefined;
  readonly address: string;
}

/** Who has shown a good token is not held up by the wrong ones of somebody behind the same address. */
const GOOD_MS = 600_000;
const MAX_GOOD = 1024;
/** Requests that wait for Kubernetes to say who they are, while it is slow: those of tokens that were not good before. */
const MAX_WAITING = 256;

export class Gate {
  readonly #deps: GateDeps;
  readonly #good: ExpiringCache<true>;
  /** Tokens that are looked up for the first time: many requests with one of them are one guess. */
  readonly #asked = new Set<string>();
  #waiting = 0;

  constructor(deps: GateDeps) {
    this.#deps = deps;
    this.#good = new ExpiringCache({ clock: deps.clock, ttlMs: GOOD_MS, maxEntries: MAX_GOOD });
  }

  /** Throws `unauthenticated`, `too-many-requests`, or `unavailable`. */
  async authenticate({ authorization, identity, address }: Caller): Promise<Subject> {
    const { authority, limits } = this.#deps;
    // Whoever sends a token means it, whatever certificate a tool shows beside.
    const known = authorization === undefined && identity !== undefined ? authority.identify?.(identity) : undefined;
    if (known !== undefined) {
      limits.admitClient(known.user);
      return known;
    }
    const token = bearerToken(authorization);
    if (token === undefined) {
      limits.admitAnonymous(address);
      throw new ProblemError('unauthenticated', 'send a token in the header Authorization: Bearer TOKEN');
    }
    const key = tokenHash(token);
    const subject = await (this.#good.has(key)
      ? authority.authenticate(token)
      : this.#authenticateStranger(token, key, address));
    if (subject === undefined) {
      if (this.#good.has(key)) limits.admitAnonymous(address);
      this.#good.delete(key);
      throw new ProblemError('unauthenticated', 'the token is not known, is over, or was made for another audience');
    }
    await this.#good.get(key, () => Promise.resolve(true));
    limits.admitClient(subject.user);
    return subject;
  }

  /** A question counts before it is asked, so that many at a time are not more; one that fails costs as much as a no. */
  async #authenticateStranger(token: string, key: string, address: string): Promise<Subject | undefined> {
    const { authority, limits } = this.#deps;
    if (this.#waiting >= MAX_WAITING) {
      const detail = `${MAX_WAITING} requests wait for Kubernetes to say who they are; ask again in 1 s`;
      throw new ProblemError('too-many-requests', detail, { retryAfterSeconds: 1 });
    }
    const isFirst = !this.#asked.has(key);
    const release = isFirst ? limits.admitAnonymous(address) : undefined;
    this.#asked.add(key);
    this.#waiting++;
    try {
      const subject = await authority.authenticate(token);
      if (subject !== undefined) release?.();
      return subject;
    } finally {
      if (isFirst) this.#asked.delete(key);
      this.#waiting--;
    }
  }

  /** Throws `forbidden` or `unavailable`. */
  async authorize(subject: Subject, access: ResourceAccess, role: Role): Promise<void> {
    if (await this.#deps.authority.isAllowed(subject, access, role)) return;
    const wanted = `${access.group} ${[access.resource, access.subresource].filter(Boolean).join('/')}`;
    const detail = `${JSON.stringify(subject.user)} may not ${access.verb} ${wanted}: the role canal-${role} allows it`;
    throw new ProblemError('forbidden', detail);
  }
}
