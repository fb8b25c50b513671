export { type CapturedLogger, createCapturedLogger, type LogRecord } from './captured-logger.ts';
export { createFakeClock, type FakeClock } from './fake-clock.ts';
export { type KernelFeature, type KernelFeatureProbe, probeKernelFeature, probeLinkKind } from './kernel-feature.ts';
export { createNodeWorld, type NodeWorld, type WorldNode } from './node-world.ts';
export {
  connectNetns,
  createTestNetns,
  type ExecResult,
  type TestNetns,
  type TestNetnsOptions,
  type VethEnd,
} from './test-netns.ts';
export { waitFor } from './wait-for.ts';
