import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Clock } from '@canal/runtime-port';

import { KubeConfigError } from './connection-error.ts';
import type { KubeConnection } from './connection.ts';
import { tokenFileCredentials } from './credential-sources.ts';
import { followAuthority } from './followed-authority.ts';
import { RotatingFile } from './rotating-file.ts';

export interface InClusterOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the service account is mounted. */
  readonly directory?: string;
}

/** The connection of a pod: address from the environment, token and authority from the service account's volume. */
export async function loadInCluster(options: InClusterOptions, clock: Clock): Promise<KubeConnection> {
  const host = options.env['KUBERNETES_SERVICE_HOST'];
  const port = options.env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || host === '' || port === undefined || port === '') {
    throw new KubeConfigError(
      'missing-entry',
      'this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set (give a kubeconfig instead)',
    );
  }
  const directory = options.directory ?? SERVICE_ACCOUNT_DIRECTORY;
  const caPath = join(directory, 'ca.crt');
  const tokens = tokenFileCredentials(join(directory, 'token'), clock);
  const { tls, credentials } = await followAuthority(new RotatingFile(caPath, clock), {}, tokens).catch(
    (error: unknown) => {
      throw new KubeConfigError('unreadable', `${caPath} cannot be read: is a service account mounted?`, error);
    },
  );
  // Found missing now rather than at the first request.
  await credentials.current();
  const namespace = await readFile(join(directory, 'namespace'), 'utf8').catch(() => '');
  return {
    baseUrl: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tls,
    credentials,
    ...(namespace.trim() === '' ? {} : { namespace: namespace.trim() }),
  };
}

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
