/** /livez (flannel calls it /healthz), /readyz and /metrics over plain HTTP, on the address of --healthz-ip and --healthz-port. */
import type { Clock, Logger } from '@canal/runtime-port';
import { formatIp, type Ip } from 'net-types';
import type { PrometheusMetrics } from './prometheus-metrics.ts';

export interface HealthAnswer {
  readonly ok: boolean;
  /** One reason a line. */
  readonly text: string;
}

export interface HealthServerDeps {
  readonly metrics: PrometheusMetrics;
  readonly clock: Clock;
  readonly log: Logger;
  readonly healthz: () => HealthAnswer;
  readonly readyz: () => HealthAnswer;
}

const RETRY_MS = 2_000;

/** Serves until the signal aborts. A port that is taken is tried again: the network matters more than its probes. */
export async function serveHealth(
  deps: HealthServerDeps,
  listen: { readonly ip: Ip; readonly port: number },
  signal: AbortSignal,
): Promise<void> {
  const [hostname, otherwise] = hostnamesOf(listen.ip);
  let told = false;
  while (!signal.aborted) {
    try {
      const serve = (host: string) =>
        Bun.serve({ hostname: host, port: listen.port, fetch: (request) => answer(deps, request) });
      const server = otherwise === undefined ? serve(hostname) : serveEither(serve, hostname, otherwise);
      deps.log.info({ address: server.url.host }, 'serving /livez, /readyz and /metrics');
      await aborted(signal);
      await server.stop(true);
    } catch (error) {
      if (!told) deps.log.error({ address: `${hostname}:${listen.port}`, error }, 'cannot serve probes, trying again');
      told = true;
      await deps.clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }
}

/**
 * Go, and so flannel, takes 0.0.0.0 as every address of both families: the kubelet of an IPv6 node probes by IPv6. The
 * second one is for hosts without IPv6.
 */
function hostnamesOf(ip: Ip): readonly [string, string?] {
  const text = formatIp(ip);
  return text === '0.0.0.0' || text === '::' ? ['::', '0.0.0.0'] : [text];
}

/** The error of the first is kept: where the port is taken both fail alike. */
function serveEither<T>(serve: (hostname: string) => T, first: string, second: string): T {
  try {
    return serve(first);
  } catch (error) {
    try {
      return serve(second);
    } catch {
      throw error;
    }
  }
}

async function answer(deps: HealthServerDeps, request: Request): Promise<Response> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return new Response('method not allowed\n', { status: 405 });
  switch (new URL(request.url).pathname) {
    case '/healthz':
    case '/livez':
      return plain(deps.healthz());
    case '/readyz':
      return plain(deps.readyz());
    case '/metrics':
      return new Response(await deps.metrics.render(), { headers: { 'content-type': deps.metrics.contentType } });
    default:
      return new Response('not found\n', { status: 404 });
  }
}

function plain({ ok, text }: HealthAnswer): Response {
  return new Response(`${text}\n`, { status: ok ? 200 : 503, headers: { 'content-type': 'text/plain' } });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
