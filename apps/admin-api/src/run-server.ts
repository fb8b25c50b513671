/** The API on its port: application, TLS, certificate; until the signal aborts. */
import type { Clock, Logger } from '@canal/runtime-port';
import type { Authority } from './access/authority.ts';
import type { ApiMetrics } from './api-metrics.ts';
import type { AuditLog } from './audit-log.ts';
import type { Handlers } from './handler.ts';
import { createApp } from './http/create-app.ts';
import type { LimitOptions } from './limits/limits.ts';
import {
  type CertificateFiles,
  CertificateError,
  readCertificate,
  type ServerCertificate,
} from './tls/certificate-source.ts';
import type { ClientAuthorities } from './tls/client-certificate.ts';
import { answerClientError } from './tls/client-error.ts';
import { GUARD_LIMITS, type GuardLimits } from './tls/connection-guard.ts';
import { createTlsListener } from './tls/tls-listener.ts';

export interface ServerOptions {
  readonly host: string;
  /** 0: whichever is free. */
  readonly port: number;
  readonly certificate: ServerCertificate;
  /** Where the certificate is from, when it can change. */
  readonly certificateFiles: CertificateFiles | undefined;
  /** Whose certificates clients may show instead of tokens. */
  readonly clientAuthorities?: ClientAuthorities | undefined;
  readonly limits: LimitOptions;
  readonly guardLimits?: GuardLimits;
}

export interface ServerDeps {
  readonly handlers: Handlers;
  readonly authority: Authority;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timeMs: () => number;
  readonly metrics: ApiMetrics;
  readonly readyz: () => { readonly ok: boolean; readonly text: string };
  readonly version: string;
  readonly checkAnswers?: boolean;
}

export interface RunningServer {
  readonly port: number;
  /** Resolves when the signal has aborted and all connections are closed. */
  readonly done: Promise<void>;
}

const CERTIFICATE_LOOK_MS = 5_000;

export async function runServer(options: ServerOptions, deps: ServerDeps, signal: AbortSignal): Promise<RunningServer> {
  const { clock, log, metrics } = deps;
  const guardLimits = options.guardLimits ?? GUARD_LIMITS;
  const listener = createTlsListener({
    certificate: options.certificate,
    clientAuthorities: options.clientAuthorities,
    clock,
    limits: guardLimits,
    onCut: (reason) => metrics.cutConnections.inc({ reason }),
    onCount: (count) => metrics.setConnections(count),
  });
  const app = createApp({
    ...deps,
    limits: options.limits,
    stallMs: guardLimits.answerMs,
    identityOf: (socket) => listener.identityOf(socket, deps.timeMs()),
    serverFactory: (handler) => listener.createHttpServer(handler),
    onClientError: answerClientError,
  });
  await app.ready();
  const port = await listener.listen(options);
  log.info({ address: options.host, port }, 'serving the admin API');
  const { certificateFiles } = options;
  const following =
    certificateFiles &&
    followCertificate(
      certificateFiles,
      options.certificate,
      (renewed) => listener.setCertificate(renewed),
      { clock, log },
      signal,
    );
  const done = (async () => {
    await aborted(signal);
    await listener.close();
    await app.close();
    await following;
  })();
  return { port, done };
}

/** A renewed certificate is taken when both files are there and fit; until then the one before it serves. */
async function followCertificate(
  files: CertificateFiles,
  first: ServerCertificate,
  use: (certificate: ServerCertificate) => void,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  let current = first;
  let problem = '';
  const slept = (): Promise<boolean> =>
    clock.sleep(CERTIFICATE_LOOK_MS, signal).then(
      () => true,
      () => false,
    );
  while (await slept()) {
    try {
      const found = readCertificate(files);
      problem = '';
      if (found.cert === current.cert && found.key === current.key) continue;
      use(found);
      current = found;
      log.info({ file: files.certFile }, 'certificate renewed');
    } catch (error) {
      const now = error instanceof CertificateError ? error.message : 'the certificate cannot be used';
      if (now !== problem) log.error({ problem: now }, 'certificate not renewed: the one before it still serves');
      problem = now;
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
