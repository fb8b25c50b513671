/** The cluster that a kubeconfig names, as kubectl reads it. */
import type { Clock } from '@canal/runtime-port';
import { type KubeConnection, loadKubeconfig, userKubeconfigPaths } from '@canal/store-kube';
import type { ClusterFlags } from './cluster-flags.ts';

/** Throws KubeConfigError. */
export async function connectCluster({ kubeconfig, context }: ClusterFlags, clock: Clock): Promise<KubeConnection> {
  const paths = kubeconfig === undefined ? userKubeconfigPaths(process.env) : [kubeconfig];
  return await loadKubeconfig({ paths, ...(context !== undefined && { context }) }, clock);
}

export function systemClock(): Clock {
  return {
    nowMs: () => performance.now(),
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const abort = (): void => {
          clearTimeout(timer);
          reject(signal?.reason instanceof Error ? signal.reason : new Error('interrupted'));
        };
        const timer = setTimeout(() => {
          signal?.removeEventListener('abort', abort);
          resolve();
        }, delayMs);
        if (signal?.aborted === true) abort();
        else signal?.addEventListener('abort', abort, { once: true });
      }),
  };
}
