import { ROUTES } from '@canal/admin-schema';
import { fixedCredentials, Secret } from '@canal/store-kube';
import { createFakeClock } from '@canal/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { accessOf, METRICS_ACCESS } from './access-rules.ts';
import type { Authority, Subject } from './authority.ts';
import { createKubeAuthority } from './kube-authority.ts';

interface Asked {
  readonly path: string;
  readonly authorization: string | null;
  readonly body: { readonly kind: string; readonly spec: Record<string, unknown> };
}

/** What an API server would say, and what it was asked. */
class FakeKubernetes {
  readonly asked: Asked[] = [];
  tokenStatus: unknown = {
    authenticated: true,
    user: { username: 'ann', uid: '1', groups: ['g'], extra: { k: ['v'] } },
    audiences: ['canal'],
  };
  accessStatus: unknown = { allowed: true };
  respond: (() => Response) | undefined;
  readonly #server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const body = (await request.json()) as Asked['body'];
      this.asked.push({
        path: new URL(request.url).pathname,
        authorization: request.headers.get('authorization'),
        body,
      });
      if (this.respond !== undefined) return this.respond();
      return Response.json(
        { ...body, status: body.kind === 'TokenReview' ? this.tokenStatus : this.accessStatus },
        { status: 201 },
      );
    },
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}

let kubernetes: FakeKubernetes;
afterEach(() => kubernetes.stop());

const TOKEN = 'canary-token-of-ann';
const NODES = accessOf(ROUTES[0]);

function start(): { authority: Authority; clock: ReturnType<typeof createFakeClock>; failures: unknown[] } {
  kubernetes = new FakeKubernetes();
  const clock = createFakeClock();
  const failures: unknown[] = [];
  const connection = {
    baseUrl: kubernetes.url,
    credentials: fixedCredentials({ token: new Secret('canary-of-ours') }),
  };
  const deps = {
    connection,
    clock,
    audiences: ['canal', 'canal-2'],
    onFailure: (failure: unknown) => failures.push(failure),
  };
  return { authority: createKubeAuthority(deps), clock, failures };
}

async function known(authority: Authority): Promise<Subject> {
  const subject = await authority.authenticate(TOKEN);
  if (subject === undefined) throw new Error('the token is known');
  return subject;
}

describe('who a token is', () => {
  test('is asked with our audiences, once in 10 s, and once for all who ask at a time', async () => {
    const { authority, clock } = start();
    const subjects = await Promise.all([1, 2, 3].map(() => authority.authenticate(TOKEN)));
    expect(subjects.map((subject) => subject?.user)).toEqual(['ann', 'ann', 'ann']);
    expect(kubernetes.asked).toEqual([
      {
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        authorization: 'Bearer canary-of-ours',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token: TOKEN, audiences: ['canal', 'canal-2'] },
        },
      },
    ]);
    await clock.advance(9_999);
    await authority.authenticate(TOKEN);
    expect(kubernetes.asked).toHaveLength(1);
    await clock.advance(1);
    kubernetes.tokenStatus = { authenticated: false };
    expect(await authority.authenticate(TOKEN)).toBeUndefined();
    expect(kubernetes.asked).toHaveLength(2);
  });

  test.each([
    ['not authenticated', { user: { username: 'ann' }, audiences: ['canal'] }],
    ['not known, as Kubernetes says it', { user: {}, error: 'invalid bearer token' }],
    ['of nobody', { authenticated: true, user: {}, audiences: ['canal'] }],
    [
      'made for another audience',
      { authenticated: true, user: { username: 'ann' }, audiences: ['https://kubernetes.default.svc'] },
    ],
    ['a server that does not know audiences', { authenticated: true, user: { username: 'ann' } }],
    ['nobody', { authenticated: true, audiences: ['canal'] }],
  ])('%s: unknown, and not asked again for a while', async (_name, status) => {
    const { authority } = start();
    kubernetes.tokenStatus = status;
    expect(await authority.authenticate(TOKEN)).toBeUndefined();
    expect(await authority.authenticate(TOKEN)).toBeUndefined();
    expect(kubernetes.asked).toHaveLength(1);
  });

  test.each([
    ['of a service account', 'JTI=7c1d9a52-1f2e-4c57-9c1b-0f6b6a3d2e11', 'JTI=7c1d9a52-1f2e-4c57-9c1b-0f6b6a3d2e11'],
    ['that is no id', 'JTI=a\nuser=ann', undefined],
    ['of an older server', undefined, undefined],
  ])('which of the tokens of its user: %s', async (_name, id, credential) => {
    const { authority } = start();
    const extra = id === undefined ? {} : { extra: { 'authentication.kubernetes.io/credential-id': [id] } };
    kubernetes.tokenStatus = { authenticated: true, user: { username: 'ann', ...extra }, audiences: ['canal'] };
    expect((await known(authority)).credential).toBe(credential);
  });

  test('made-up tokens do not push out that of a user', async () => {
    const { authority } = start();
    await authority.authenticate(TOKEN);
    kubernetes.tokenStatus = { authenticated: false };
    for (let guess = 0; guess < 1100; guess++) await authority.authenticate(`guess-${guess}`);
    expect((await authority.authenticate(TOKEN))?.user).toBe('ann');
  });
});

describe('what a subject may do', () => {
  test('is asked with all that is known of them, once in 10 s', async () => {
    const { authority, clock } = start();
    const subject = await known(authority);
    expect(await authority.isAllowed(subject, NODES, 'view')).toBe(true);
    expect(await authority.isAllowed(subject, NODES, 'view')).toBe(true);
    expect(kubernetes.asked.slice(1).map(({ path, body }) => ({ path, spec: body.spec }))).toEqual([
      {
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        spec: {
          user: 'ann',
          uid: '1',
          groups: ['g'],
          extra: { k: ['v'] },
          resourceAttributes: { group: 'admin.canal.io', resource: 'nodes', verb: 'list' },
        },
      },
    ]);
    await clock.advance(10_000);
    kubernetes.accessStatus = { allowed: false };
    expect(await authority.isAllowed(subject, NODES, 'view')).toBe(false);
  });

  test('metrics are a resource of ours: the path would be that of the API server, too', async () => {
    const { authority } = start();
    await authority.isAllowed(await known(authority), METRICS_ACCESS, 'view');
    const { spec } = kubernetes.asked[1]?.body ?? {};
    expect(spec?.['resourceAttributes']).toEqual({ group: 'admin.canal.io', resource: 'metrics', verb: 'get' });
    expect(spec).not.toHaveProperty('nonResourceAttributes');
  });

  test('a denial outweighs', async () => {
    const { authority } = start();
    kubernetes.accessStatus = { allowed: true, denied: true };
    expect(await authority.isAllowed(await known(authority), NODES, 'view')).toBe(false);
  });
});

describe('when Kubernetes does not answer as it should, nobody may do anything', () => {
  test.each([
    ['500', () => new Response('canary in a page', { status: 500 })],
    ['403 of our own token', () => Response.json({ kind: 'Status', message: 'canary' }, { status: 403 })],
    ['no JSON', () => new Response('canary', { status: 201 })],
    ['another JSON', () => Response.json({ status: 'canary' }, { status: 201 })],
  ])('%s', async (_name, respond) => {
    const { authority, failures } = start();
    const subject = await known(authority);
    kubernetes.respond = respond;
    const unavailable = { problem: 'unavailable', retryAfterSeconds: 2 };
    const failed = [authority.authenticate('another'), authority.isAllowed(subject, NODES, 'view')];
    for (const attempt of failed) {
      await expect(attempt).rejects.toMatchObject(unavailable);
      await expect(attempt).rejects.not.toThrow('canary');
    }
    expect(failures).toHaveLength(2);
    expect(JSON.stringify(failures)).not.toContain('canary');
    // And it is asked again at once when it is back.
    kubernetes.respond = undefined;
    expect(await authority.isAllowed(subject, NODES, 'view')).toBe(true);
  });

  test('where nobody listens one question a second is enough', async () => {
    const { authority, clock, failures } = start();
    await kubernetes.stop();
    for (const token of ['a', 'b', 'c']) {
      await expect(authority.authenticate(token)).rejects.toMatchObject({ problem: 'unavailable' });
    }
    expect(failures).toEqual([{ review: 'TokenReview', code: 'unavailable' }]);
    await clock.advance(1_000);
    await expect(authority.authenticate('a')).rejects.toMatchObject({ problem: 'unavailable' });
    expect(failures).toHaveLength(2);
  });
});

test('a certificate is its user with its groups, and Kubernetes says what they may', async () => {
  const { authority } = start();
  const identity = {
    user: 'ada',
    groups: ['canal-admins'],
    fingerprint: 'ab'.repeat(32),
    validFromMs: 0,
    validUntilMs: 1,
  };
  const subject = authority.identify?.(identity);
  if (subject === undefined) throw new Error('nobody');
  expect(await authority.isAllowed(subject, NODES, 'view')).toBe(true);
  kubernetes.accessStatus = { allowed: false };
  expect(await authority.isAllowed({ ...subject, key: 'certificate of another' }, NODES, 'view')).toBe(false);
  expect(kubernetes.asked.map(({ body }) => [body.kind, body.spec])).toEqual(
    Array.from({ length: 2 }, () => [
      'SubjectAccessReview',
      { user: 'ada', groups: ['canal-admins', 'system:authenticated'], resourceAttributes: NODES },
    ]),
  );
  expect(subject.credential).toBe(`X509SHA256=${identity.fingerprint}`);
});
