import type { Clock } from '@canal/runtime-port';
import type { Store } from '@canal/store-port';
import { connectAgent } from './connect.ts';
import type { KubeConnection } from './connection.ts';
import { createKubeStore } from './kube-store.ts';

export interface AgentStoreOptions {
  readonly kubeApiUrl?: string;
  readonly kubeconfigFile?: string;
}

interface ConnectedStore {
  readonly store: Store;
  readonly connection: KubeConnection;
}

/** The Kubernetes API as an agent's flags say, else as a pod finds it. Throws KubeConfigError. */
export async function connectStore(
  { kubeApiUrl, kubeconfigFile }: AgentStoreOptions,
  clock: Clock,
): Promise<ConnectedStore> {
  const options = {
    env: process.env,
    ...(kubeApiUrl !== undefined && { apiUrl: kubeApiUrl }),
    ...(kubeconfigFile !== undefined && { kubeconfigPath: kubeconfigFile }),
  };
  const connection = await connectAgent(options, clock);
  return { store: createKubeStore({ connection, clock }), connection };
}
