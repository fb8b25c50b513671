export { type CapturedLogger, createCapturedLogger, type LogRecord } from './captured-logger.ts';
export { createFakeClock, type FakeClock } from './fake-clock.ts';
export { type FlowTalkers, type Heard, type Side, startFlowTalkers, type TalkOptions } from './flow-talkers.ts';
export { createFlowWorld, type FlowPod, type FlowWorld } from './flow-world.ts';
export { type KernelFeature, type KernelFeatureProbe, probeKernelFeature, probeLinkKind } from './kernel-feature.ts';
export { type NodeSnapshot, snapshotOf } from './node-snapshot.ts';
export { createNodeWorld, type NodeWorld, type WorldNode } from './node-world.ts';
export {
  createPolicyWorld,
  makeBridge,
  NODE,
  OTHER_NODE,
  OUTSIDE,
  type PodMode,
  type PolicyWorld,
  REMOTE_POD,
  type WorldPod,
} from './policy-world.ts';
export {
  type CraftedArp,
  type CraftedPacket,
  createProber,
  type Injection,
  type Prober,
  type ProbeQuestion,
  type ProbeResult,
  type SeenPacket,
} from './prober.ts';
export {
  connectNetns,
  createTestNetns,
  type ExecResult,
  type TestNetns,
  type TestNetnsOptions,
  type VethEnd,
} from './test-netns.ts';
export { ADMIN_API_SAMPLES } from './openapi/admin-api-samples.ts';
export type { ApiAnswer, ApiRequest, SendRequest } from './openapi/api-exchange.ts';
export { ApiExercise } from './openapi/api-exercise.ts';
export { type HttpsExchange, openHttpsExchange } from './openapi/https-exchange.ts';
export type { Excuse, RequestPlan } from './openapi/request-plan.ts';
export { sampleOf } from './openapi/schema-values.ts';
export { waitFor } from './wait-for.ts';
