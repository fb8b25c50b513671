/** The admin API of a cluster as a person far away asks it: over a forwarded port, with the authority that it published. */
import { type Role, type RouteContract, ROUTES } from '@canal/admin-schema';
import { AGENT_NAMESPACE } from './agents.ts';
import { openPortForward } from './port-forward.ts';
import type { World } from './world.ts';

export const ADMIN_API = 'canal-admin-api';
const PORT = 9443;
const REQUEST_MS = 30_000;

export interface AdminRoute extends RouteContract {
  readonly id: (typeof ROUTES)[number]['id'];
  readonly role: Role;
}

export const ADMIN_ROUTES: readonly AdminRoute[] = ROUTES;

export interface AdminRequest {
  readonly method?: AdminRoute['method'];
  /** With query. */
  readonly path: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined when it is no JSON, and of streams, which are closed after their header. */
  readonly body: unknown;
}

export interface AdminApiClient extends AsyncDisposable {
  readonly address: string;
  /** PEM of the authority that it published. */
  readonly ca: string;
  send(request: AdminRequest): Promise<AdminAnswer>;
}

export async function openAdminApi(world: World): Promise<AdminApiClient> {
  const ca = await publishedAuthority(world);
  const { port, child } = await openPortForward(world, AGENT_NAMESPACE, `deployment/${ADMIN_API}`, PORT);
  const address = `https://localhost:${port}`;
  return {
    address,
    ca,
    async send({ method = 'GET', path, token, headers = {}, body }) {
      const leave = new AbortController();
      const response = await fetch(`${address}${path}`, {
        method,
        headers: {
          ...headers,
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.any([leave.signal, AbortSignal.timeout(REQUEST_MS)]),
        tls: { ca },
      });
      const type = response.headers.get('content-type') ?? '';
      const answer = { status: response.status, headers: response.headers };
      if (type.includes('json')) return { ...answer, body: await response.json() };
      leave.abort();
      return { ...answer, body: undefined };
    },
    [Symbol.asyncDispose]: () => {
      child.kill('SIGKILL');
      return Promise.resolve();
    },
  };
}

/** PEM. */
export async function publishedAuthority(world: World): Promise<string> {
  const path = String.raw`jsonpath={.data.ca\.crt}`;
  const { stdout } = await world.kubectl([
    'get',
    'configmap',
    `${ADMIN_API}-authority`,
    '-n',
    AGENT_NAMESPACE,
    '-o',
    path,
  ]);
  return stdout;
}

/** A new token of a service account of canal's. */
export async function tokenOf(world: World, account: string, audience?: string): Promise<string> {
  const options = audience === undefined ? [] : [`--audience=${audience}`];
  return (await world.kubectl(['create', 'token', account, '-n', AGENT_NAMESPACE, ...options])).stdout.trim();
}
