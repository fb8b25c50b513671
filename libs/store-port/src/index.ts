export { type BackoffOptions, backoffMs } from './backoff.ts';
export { compareResourceVersions, isKubeObject, objectKey } from './kube-object.ts';
export { KeyedQueue } from './keyed-queue.ts';
export type { ListPage, ListPageRequest, ListWatch, WatchFrame, WatchRequest } from './list-watch.ts';
export { reflect, type ReflectorDeps, type ReflectorOptions } from './reflector.ts';
export {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  ENDPOINT_SLICES,
  EVENTS,
  LEASES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from './resources.ts';
export type {
  FieldTree,
  KubeObject,
  ObjectMeta,
  Parse,
  Parsed,
  PatchOptions,
  ResourceType,
  Store,
  StoreEvent,
  WatchOptions,
} from './store.ts';
export { isNotFound, isRetriable, StoreError, type StoreErrorCode, type StoreErrorOptions } from './store-error.ts';
