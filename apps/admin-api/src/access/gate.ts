/** From the header Authorization to a subject that may do what it asks for. */
import type { Role } from '@canal/admin-schema';
import type { Clock } from '@canal/runtime-port';
import { ProblemError } from '../handler.ts';
import type { Limits } from '../limits/limits.ts';
import type { Access } from './access-rules.ts';
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
  readonly address: string;
}

/** Who has shown a good token is not held up by the wrong ones of somebody behind the same address. */
const GOOD_MS = 600_000;
const MAX_GOOD = 1024;

export class Gate {
  readonly #deps: GateDeps;
  readonly #good: ExpiringCache<true>;

  constructor(deps: GateDeps) {
    this.#deps = deps;
    this.#good = new ExpiringCache({ clock: deps.clock, ttlMs: GOOD_MS, maxEntries: MAX_GOOD });
  }

  /** Throws `unauthenticated`, `too-many-requests`, or `unavailable`. */
  async authenticate({ authorization, address }: Caller): Promise<Subject> {
    const { authority, limits } = this.#deps;
    const token = bearerToken(authorization);
    if (token === undefined) {
      limits.admitAnonymous(address);
      throw new ProblemError('unauthenticated', 'send a token in the header Authorization: Bearer TOKEN');
    }
    const key = tokenHash(token);
    if (!this.#good.has(key)) limits.checkAnonymous(address);
    const subject = await authority.authenticate(token).catch((error: unknown) => {
      // A question that fails costs as much as one whose answer is no.
      if (!this.#good.has(key)) limits.admitAnonymous(address);
      throw error;
    });
    if (subject === undefined) {
      this.#good.delete(key);
      limits.admitAnonymous(address);
      throw new ProblemError('unauthenticated', 'the token is not known, is over, or was made for another audience');
    }
    await this.#good.get(key, () => Promise.resolve(true));
    limits.admitClient(subject.user);
    return subject;
  }

  /** Throws `forbidden` or `unavailable`. */
  async authorize(subject: Subject, access: Access, role: Role): Promise<void> {
    if (await this.#deps.authority.isAllowed(subject, access, role)) return;
    const wanted =
      'path' in access
        ? access.path
        : `${access.group} ${[access.resource, access.subresource].filter(Boolean).join('/')}`;
    const detail = `${JSON.stringify(subject.user)} may not ${access.verb} ${wanted}: the role canal-${role} allows it`;
    throw new ProblemError('forbidden', detail);
  }
}
