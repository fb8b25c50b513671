export { KernelError, type KernelErrorCode, type KernelFault } from './kernel-error.ts';
export type {
  DefaultRoute,
  InterfaceAddressFacts,
  InterfaceFacts,
  KernelChange,
  KernelEvent,
  KernelFeatures,
  MonitorScope,
  NetworkKernel,
  OperationResult,
  SnapshotScope,
} from './network-kernel.ts';
export type {
  FlowJudgement,
  PolicyGuard,
  PolicyKernel,
  PolicyKernelEvent,
  PolicyLimit,
  PolicyResync,
  VerdictReason,
  VerdictRecord,
} from './policy-kernel.ts';
export type {
  ForwardDrop,
  ForwardTraffic,
  TrafficComparison,
  TrafficDifference,
  TrafficDifferenceCode,
  TrafficEvent,
  TrafficKernel,
} from './traffic-kernel.ts';
