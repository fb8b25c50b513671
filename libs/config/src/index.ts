export { environmentName, type FlagSpec } from './flag-spec.ts';
export { ENVIRONMENT_PREFIX, FLAGS } from './flag-table.ts';
export type { Environment } from './flag-values.ts';
export {
  type CleanupOptions,
  type CniConfOptions,
  type FlanneldCommand,
  type FlanneldConfig,
  type InterfaceOptions,
  parseFlanneldCommand,
} from './flanneld-config.ts';
export { parsePolicyAgentCommand, type PolicyAgentCommand, type PolicyAgentConfig } from './policy-agent-config.ts';
