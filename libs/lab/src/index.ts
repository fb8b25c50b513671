export { type FlowOptions, type FlowResult, probeFlow } from './flow-probe.ts';
export { HEALTH_PORT } from './agent.ts';
export { serveApi, type ServeOptions } from './api-server.ts';
export { type CniRuntime, type CniRuntimeDeps, createCniRuntime, POD_INTERFACE, type Sandbox } from './cni-runtime.ts';
export {
  createLab,
  type Lab,
  type LabCallOptions,
  type LabListing,
  listLabs,
  openLab,
  removeLab,
  serveLabApi,
} from './lab.ts';
export type { ExecTarget } from './exec.ts';
export type { LabContext, LabOptions } from './lab-context.ts';
export type { DownReport } from './lab-down.ts';
export { LabError, type LabErrorCode } from './lab-error.ts';
export { DEFAULT_STATE_ROOT, labPaths, type LabPaths, type NodePaths, nodePaths } from './lab-paths.ts';
export { DEFAULT_SPEC, type LabFamily, type LabSpec, parseLabSpec, type SpecError } from './lab-spec.ts';
export type { LabStatus, NodeStatus, PeerRoute, ProcessStatus } from './lab-status.ts';
export { inNamespace, namespacePath, type Occupant } from './namespaces.ts';
export { describeLosses, type PingCell, pingMatrix, type PingMatrix, type PingMatrixOptions } from './ping-matrix.ts';
export type { NodeWish } from './nodes.ts';
export type { PodWish } from './pods.ts';
export { parsePodKey, podKey, type PodRecord } from './sandboxes.ts';
export { type LabTopology, type NodePlan, planTopology } from './topology.ts';
