export { connectAgent, type ConnectOptions, userKubeconfigPaths } from './connect.ts';
export { type AgentStoreOptions, connectStore } from './connect-store.ts';
export {
  type Credentials,
  type CredentialSource,
  fixedCredentials,
  type KubeConnection,
  type TlsMaterial,
} from './connection.ts';
export { KubeConfigError, type KubeConfigErrorCode } from './connection-error.ts';
export {
  createEventRecorder,
  type EventRecorder,
  type EventRecorderDeps,
  type EventSink,
  type EventSubject,
  type EventText,
  nodeSubject,
} from './event-recorder.ts';
export { type InClusterOptions, loadInCluster } from './in-cluster.ts';
export { createKubeStore, type KubeStoreDeps, type KubeStoreOptions } from './kube-store.ts';
export { type KubeconfigOptions, loadKubeconfig } from './kubeconfig.ts';
export { findNodeName, type NodeNameDeps } from './node-name.ts';
export { type KubeRequest, resourcePath, send } from './request.ts';
export { Secret } from './secret.ts';
export { reviewToken } from './token-review.ts';
