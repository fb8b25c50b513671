/** Puts the real world together and serves until the signal aborts. */
import { renameSync, writeFileSync } from 'node:fs';
import { API_VERSION } from '@canal/admin-schema';
import { type AnnotationKeys, CANALS_ANNOTATIONS } from '@canal/api-schema';
import { createNodeApi } from '@canal/node-api';
import type { KubeConnection } from '@canal/store-kube';
import type { Store } from '@canal/store-port';
import { type Daemon, VERSION } from '@canal/telemetry';
import type { Authority } from './access/authority.ts';
import { createKubeAuthority } from './access/kube-authority.ts';
import { createTokenFileAuthority } from './access/token-file-authority.ts';
import { createApiMetrics } from './api-metrics.ts';
import { AuditLog } from './audit-log.ts';
import { keepMemorySmall } from './memory-upkeep.ts';
import { nodeTransport } from './node-access.ts';
import type { AdminApiOptions } from './options.ts';
import { ClusterNodes } from './resources/cluster-nodes.ts';
import { ownDiffCommand } from './resources/diff-process.ts';
import { createHandlers } from './resources/handlers.ts';
import { runServer, type RunningServer } from './run-server.ts';
import { makeCertificate, readCertificate } from './tls/certificate-source.ts';
import { ClientAuthorities } from './tls/client-certificate.ts';
import { publishAuthority } from './tls/publish-authority.ts';

export interface ClusterAccess {
  readonly store: Store;
  readonly connection: KubeConnection;
}

export interface RunningAdminApi extends RunningServer {
  readonly readyz: () => { readonly ok: boolean; readonly text: string };
}

export async function runAdminApi(
  options: AdminApiOptions,
  keys: AnnotationKeys,
  { store, connection }: ClusterAccess,
  { signal, log, clock, metrics }: Pick<Daemon, 'signal' | 'log' | 'clock' | 'metrics'>,
): Promise<RunningAdminApi> {
  const { certificateFiles, tlsHosts, authorityFile, authorityConfigMap } = options;
  const certificate =
    certificateFiles === undefined ? makeCertificate(tlsHosts, authorityFile) : readCertificate(certificateFiles);
  const clientAuthorities =
    options.clientCaFile === undefined ? undefined : ClientAuthorities.read(options.clientCaFile);
  const audit = new AuditLog(log);
  const nodes = new ClusterNodes({ store, keys, annotations: CANALS_ANNOTATIONS, log });
  const handlers = createHandlers({
    store,
    nodes,
    nodeApi: createNodeApi(nodeTransport(options, nodes)),
    keys,
    configMap: options.netConf,
    audit,
    diffCommand: ownDiffCommand(),
    version: VERSION,
    clock,
    timeMs: () => Date.now(),
    random: Math.random,
    log,
  });
  const authority: Authority =
    options.tokenFile === undefined
      ? createKubeAuthority({
          connection,
          clock,
          audiences: options.audiences,
          onFailure: (failure) => log.error(failure, 'Kubernetes cannot be asked about a token'),
        })
      : createTokenFileAuthority(options.tokenFile, { clock, log });
  const readyz = () =>
    nodes.inSync ? { ok: true, text: 'ready' } : { ok: false, text: 'the nodes of the cluster are not all known yet' };
  const upkeep = { clock, residentBytes: () => process.memoryUsage.rss(), collect: () => Bun.gc(true) };
  const server = await runServer(
    { ...options, certificate, clientAuthorities },
    {
      handlers,
      authority,
      audit,
      clock,
      log,
      timeMs: () => Date.now(),
      metrics: createApiMetrics(metrics, VERSION),
      readyz,
      version: API_VERSION,
    },
    signal,
  );
  if (options.addressFile !== undefined) writeAddress(options.addressFile, options.host, server.port);
  const publishing =
    authorityConfigMap !== undefined && certificate.authority !== undefined
      ? publishAuthority({ store, clock, log }, authorityConfigMap, certificate.authority, signal)
      : undefined;
  const work = Promise.all([nodes.run(signal), keepMemorySmall(upkeep, signal), publishing, server.done]);
  return { port: server.port, readyz, done: work.then(() => undefined) };
}

/** Whoever waits for the file finds all of it. */
function writeAddress(path: string, host: string, port: number): void {
  const name = host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  writeFileSync(`${path}.new`, `https://${name}:${port}\n`);
  renameSync(`${path}.new`, path);
}
