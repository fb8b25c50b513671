export type { ClusterNode, ClusterState } from './cluster-state.ts';
export { diff, type DiffOptions } from './diff.ts';
export type { FlowCause, FlowEnd, FlowGroup, FlowPortRange, FlowPorts, PodChange, PolicyDiff } from './policy-diff.ts';
export { render, type RenderOptions } from './render.ts';
export { defaultWorkloadOf } from './workload-of.ts';
