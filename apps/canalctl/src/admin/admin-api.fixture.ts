/** An admin API of the test's own: over TLS, its answers held to the schemas. apps/admin-api has the real one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { problem, type ProblemName, type RouteContract, ROUTES } from '@canal/admin-schema';
import { createCertificateAuthority } from '@canal/certificate';
import { serve } from 'bun';

export const TOKEN = 'the-token-of-the-test';

type OperationId = (typeof ROUTES)[number]['id'];

export class Refusal extends Error {
  readonly problem: ProblemName;

  constructor(name: ProblemName, detail: string) {
    super(detail);
    this.problem = name;
  }
}

export interface Asked {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

export type Answers = { readonly [Id in OperationId]?: (asked: Asked) => unknown };

export interface TestAdminApi {
  readonly url: string;
  readonly port: number;
  readonly caPem: string;
  /** Has `token` and `ca.pem`. */
  readonly directory: string;
  /** Of `--admin-server`. */
  readonly flags: readonly string[];
  /** Answers from now on. */
  use(answers: Answers): void;
  close(): Promise<void>;
}

export function startAdminApi(initial: Answers): TestAdminApi {
  let answers = initial;
  const directory = mkdtempSync(join(tmpdir(), 'canal-admin-'));
  const authority = createCertificateAuthority({ commonName: 'test' });
  const hosts = ['127.0.0.1', 'canal-admin-api.canal-system.svc'];
  const { certPem, keyPem } = authority.issueServer({ hosts });
  const server = serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: { cert: certPem, key: keyPem },
    fetch: (request) => {
      if (request.headers.get('authorization') !== `Bearer ${TOKEN}`)
        return refusal('unauthenticated', 'no such token');
      try {
        return answer(request, answers);
      } catch (error) {
        if (error instanceof Refusal) return refusal(error.problem, error.message);
        return refusal('internal', String(error));
      }
    },
  });
  writeFileSync(join(directory, 'token'), `${TOKEN}\n`);
  writeFileSync(join(directory, 'ca.pem'), authority.certPem);
  const url = `https://127.0.0.1:${server.port}`;
  const files = ['--admin-token-file', join(directory, 'token'), '--admin-ca-file', join(directory, 'ca.pem')];
  return {
    url,
    port: server.port ?? 0,
    caPem: authority.certPem,
    directory,
    flags: ['--admin-server', url, ...files],
    use: (next) => {
      answers = next;
    },
    close: async () => {
      rmSync(directory, { recursive: true, force: true });
      await server.stop(true);
    },
  };
}

export function listOf(items: readonly unknown[], missing: readonly { node: string; reason: string }[] = []): unknown {
  return { items, partial: missing.length > 0, missing };
}

function answer(request: Request, answers: Answers): Response {
  const { pathname, searchParams } = new URL(request.url);
  for (const route of ROUTES as readonly RouteContract[]) {
    const pattern = new RegExp(`^${route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const found = pattern.exec(pathname);
    if (found === null || route.method !== request.method) continue;
    const work = answers[route.id as OperationId];
    if (work === undefined) throw new Refusal('unavailable', `the test does not answer ${route.id}`);
    const query = Object.fromEntries(searchParams);
    if (route.query?.safeParse(query).success === false) throw new Refusal('invalid', searchParams.toString());
    return Response.json(route.answer.schema?.parse(work({ path: { ...found.groups }, query: searchParams })));
  }
  throw new Refusal('not-found', pathname);
}

function refusal(name: ProblemName, detail: string): Response {
  const body = problem(name, { detail, instance: 'request-1' });
  return Response.json(body, { status: body.status, headers: { 'content-type': 'application/problem+json' } });
}
