import type { FlanneldConfig } from '@canal/config';
import type { Clock } from '@canal/runtime-port';
import { connectAgent, createKubeStore } from '@canal/store-kube';
import type { Store } from '@canal/store-port';

/** The Kubernetes API as the flags say, else as a pod finds it. Throws KubeConfigError. */
export async function connectStore(
  { kubeApiUrl, kubeconfigFile }: Pick<FlanneldConfig, 'kubeApiUrl' | 'kubeconfigFile'>,
  clock: Clock,
): Promise<Store> {
  const options = {
    env: process.env,
    ...(kubeApiUrl !== undefined && { apiUrl: kubeApiUrl }),
    ...(kubeconfigFile !== undefined && { kubeconfigPath: kubeconfigFile }),
  };
  return createKubeStore({ connection: await connectAgent(options, clock), clock });
}
