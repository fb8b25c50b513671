/** Kubernetes says who a token is (TokenReview) and what they may do (SubjectAccessReview). */
import type { Clock } from '@canal/runtime-port';
import { type KubeConnection, send } from '@canal/store-kube';
import { StoreError } from '@canal/store-port';
import * as z from 'zod';
import { ProblemError } from '../handler.ts';
import type { Authority, Subject } from './authority.ts';
import { tokenHash } from './bearer-token.ts';
import { ExpiringCache } from './expiring-cache.ts';

export interface KubeAuthorityDeps {
  readonly connection: KubeConnection;
  readonly clock: Clock;
  /** Of these a token must have one: a token made for another service must not be good here. */
  readonly audiences: readonly string[];
  /** What failed, for the log; without texts of the server, which has had the token. */
  readonly onFailure: (failure: { readonly review: string; readonly code: string; readonly status?: number }) => void;
}

/** How long what Kubernetes said is believed. */
const TTL_MS = 10_000;
const REVIEW_TIMEOUT_MS = 5_000;
const REST_MS = 1_000;
/** Apart, so that made-up tokens do not push out those of users. */
const [MAX_KNOWN, MAX_UNKNOWN, MAX_ANSWERS] = [1024, 1024, 4096];

interface KubeSubject extends Subject {
  readonly spec: Pick<z.infer<typeof userInfo>, 'groups' | 'uid' | 'extra'>;
}

/** The group of everybody whom Kubernetes knows. TokenReview tells of it, too. */
const AUTHENTICATED = 'system:authenticated';

/** Since Kubernetes 1.30 tokens of service accounts have one, which the API server's audit log has, too. */
const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';

function isCredentialId(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9]+=[A-Za-z0-9-]{1,100}$/.test(text);
}

/** Of a token that is not known it is empty: `{}`. */
const userInfo = z.object({
  username: z.string().optional(),
  uid: z.string().optional(),
  groups: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.array(z.string())).optional(),
});
const tokenReview = z.object({
  status: z.object({
    authenticated: z.boolean().optional(),
    user: userInfo.optional(),
    audiences: z.array(z.string()).optional(),
  }),
});
const accessReview = z.object({ status: z.object({ allowed: z.boolean(), denied: z.boolean().optional() }) });

export function createKubeAuthority(deps: KubeAuthorityDeps): Authority<KubeSubject> {
  const { clock, audiences } = deps;
  const reviews = new Reviews(deps);
  const known = new ExpiringCache<KubeSubject | undefined>({ clock, ttlMs: TTL_MS, maxEntries: MAX_KNOWN });
  const unknown = new ExpiringCache<true>({ clock, ttlMs: TTL_MS, maxEntries: MAX_UNKNOWN });
  const answers = new ExpiringCache<boolean>({ clock, ttlMs: TTL_MS, maxEntries: MAX_ANSWERS });

  async function reviewToken(token: string, key: string): Promise<KubeSubject | undefined> {
    const spec = { token, audiences };
    const { status } = await reviews.ask({ kind: 'TokenReview', group: 'authentication.k8s.io', spec }, tokenReview);
    const { authenticated = false, user, audiences: shown = [] } = status;
    // A server that does not know audiences answers none: its yes is for the API server, not for us.
    const isOurs = authenticated && shown.some((audience) => audiences.includes(audience));
    const { username = '', ...rest } = user ?? {};
    if (!isOurs || username === '') return undefined;
    const [credential] = rest.extra?.[CREDENTIAL_ID] ?? [];
    return { user: username, key, spec: rest, ...(isCredentialId(credential) && { credential }) };
  }

  return {
    async authenticate(token) {
      const key = tokenHash(token);
      if (unknown.has(key)) return undefined;
      const subject = await known.get(key, () => reviewToken(token, key));
      if (subject === undefined) {
        known.delete(key);
        await unknown.get(key, () => Promise.resolve(true));
      }
      return subject;
    },
    identify: ({ user, groups, fingerprint }) => ({
      user,
      key: `certificate ${fingerprint}`,
      // As the API server itself names certificates, and whom it has let in.
      credential: `X509SHA256=${fingerprint}`,
      spec: { groups: [...groups, AUTHENTICATED] },
    }),
    async isAllowed({ user, key, spec }, access) {
      const text = JSON.stringify(access);
      return await answers.get(`${key} ${text}`, async () => {
        const request = {
          kind: 'SubjectAccessReview',
          group: 'authorization.k8s.io',
          spec: { user, ...spec, resourceAttributes: access },
        };
        const { status } = await reviews.ask(request, accessReview);
        return status.allowed && status.denied !== true;
      });
    },
  };
}

interface Review {
  readonly kind: string;
  readonly group: string;
  readonly spec: object;
}

/**
 * Questions to the API server. Where nobody listens, one speaks for those of the next second. Another failure speaks for
 * itself alone: it may be the work of the token that was asked about.
 */
class Reviews {
  readonly #deps: KubeAuthorityDeps;
  #restUntil = -Infinity;

  constructor(deps: KubeAuthorityDeps) {
    this.#deps = deps;
  }

  async ask<T>({ kind, group, spec }: Review, schema: z.ZodType<T>): Promise<T> {
    const { connection, clock, onFailure } = this.#deps;
    if (clock.nowMs() < this.#restUntil) throw unavailable();
    const path = `/apis/${group}/v1/${kind.toLowerCase()}s`;
    const body = { apiVersion: `${group}/v1`, kind, spec };
    try {
      const response = await send(connection, { method: 'POST', path, body }, AbortSignal.timeout(REVIEW_TIMEOUT_MS));
      return schema.parse(await response.json());
    } catch (error) {
      if (error instanceof StoreError && error.unreached) this.#restUntil = clock.nowMs() + REST_MS;
      const { code, status } = error instanceof StoreError ? error : { code: 'unreadable', status: undefined };
      onFailure({ review: kind, code, ...(status !== undefined && { status }) });
      throw unavailable();
    }
  }
}

function unavailable(): ProblemError {
  const detail = 'Kubernetes cannot be asked who you are and what you may do: try again later';
  return new ProblemError('unavailable', detail, { retryAfterSeconds: 2 });
}
