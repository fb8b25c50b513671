export type { NetworkConflict, NetworkConflictCode } from './conflict.ts';
export { DeltaTracker, type PendingUpdate } from './delta-tracker.ts';
export { describeOperation, describeTarget } from './describe.ts';
export type { DiffOptions } from './diff-context.ts';
export { diffNetwork, type NetworkDiff } from './diff-network.ts';
export { sysctlPath } from './diff-sysctls.ts';
export { type Phase, PHASES } from './operation-order.ts';
export { isOwnLinkName } from './ownership.ts';
