export { type AddressPool, DEFAULT_DATA_DIR, type PoolLocation, withAddressPool } from './address-pool.ts';
export {
  type AttachmentKey,
  type AttachmentListing,
  type AttachmentStore,
  createAttachmentStore,
  DEFAULT_STATE_DIR,
  keyOfAttachment,
  type UnreadableRecord,
} from './attachment-store.ts';
export { formatAttachment, parseAttachment } from './attachment-record.ts';
export { type AtomicWriteOptions, removeTemporaryFiles, TEMPORARY_PREFIX, writeFileAtomic } from './atomic-file.ts';
export { readBootId } from './boot-id.ts';
export { type CachedAttachment, type CniCache, createCniCache, DEFAULT_CNI_CACHE_DIR } from './cni-cache.ts';
export { watchDirectoryOf } from './file-watch.ts';
export { watchMountedDirectories } from './mounted-directories.ts';
export {
  createNodeAddresses,
  type NodeAddresses,
  type NodeAddressesOptions,
  type ReservedAddresses,
  type ReserveRequest,
} from './node-addresses.ts';
export { NodeStateError, type NodeStateErrorCode } from './node-state-error.ts';
export { createStaleAddresses, type StaleAddresses, type StaleAddressesOptions } from './stale-addresses.ts';
export { createSysctlRecord, recordingSysctls, type SysctlChange, type SysctlRecord } from './sysctl-record.ts';
export {
  formatSubnetEnv,
  parseSubnetEnv,
  readSubnetEnv,
  type SubnetEnv,
  type SubnetEnvFamily,
  writeSubnetEnv,
} from './subnet-env.ts';
