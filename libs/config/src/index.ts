export { environmentName, FLAGS, type FlagSpec } from './flag-table.ts';
export type { Environment } from './flag-values.ts';
export {
  type CleanupOptions,
  type CniConfOptions,
  type FlanneldCommand,
  type FlanneldConfig,
  type InterfaceOptions,
  parseFlanneldCommand,
} from './flanneld-config.ts';
