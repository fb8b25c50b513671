import { delimiter, join } from 'node:path';

import type { Clock } from '@canal/runtime-port';

import { KubeConfigError } from './connection-error.ts';
import { fixedCredentials, type KubeConnection } from './connection.ts';
import { loadInCluster } from './in-cluster.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import { serverUrl } from './server-url.ts';

export interface ConnectOptions {
  /** `--kube-api-url`: overrides the server of the kubeconfig; alone, it is all there is. */
  readonly apiUrl?: string;
  /** `--kubeconfig-file`. */
  readonly kubeconfigPath?: string;
  readonly context?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the service account is mounted, when not in its usual place. */
  readonly serviceAccountDirectory?: string;
}

/** An agent's connection: kubeconfig file when given, else the URL, else the pod's own. Throws `KubeConfigError`. */
export async function connectAgent(options: ConnectOptions, clock: Clock): Promise<KubeConnection> {
  const { apiUrl, kubeconfigPath, context, serviceAccountDirectory } = options;
  if (kubeconfigPath !== undefined && kubeconfigPath !== '') {
    const kubeconfig = {
      paths: [kubeconfigPath],
      ...(context === undefined ? {} : { context }),
      ...(apiUrl === undefined || apiUrl === '' ? {} : { server: apiUrl }),
    };
    return await loadKubeconfig(kubeconfig, clock).catch((error: unknown) => {
      throw error instanceof KubeConfigError ? ofFlag(error) : error;
    });
  }
  if (apiUrl !== undefined && apiUrl !== '') {
    return { baseUrl: serverUrl(apiUrl, 'kube-api-url'), credentials: fixedCredentials({}) };
  }
  const directory = serviceAccountDirectory === undefined ? {} : { directory: serviceAccountDirectory };
  return await loadInCluster({ env: options.env, ...directory }, clock);
}

function ofFlag({ code, message, cause }: KubeConfigError): KubeConfigError {
  const step = code === 'unreadable' ? '. Give a kubeconfig that the agent can read; in a pod it needs none' : '';
  return new KubeConfigError(code, `--kubeconfig-file: ${message}${step}`, cause);
}

/** Where a user's kubeconfig is: the files of `KUBECONFIG`, or `~/.kube/config`. */
export function userKubeconfigPaths(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  return listed.length > 0 ? listed : [join(env['HOME'] ?? '/root', '.kube', 'config')];
}
