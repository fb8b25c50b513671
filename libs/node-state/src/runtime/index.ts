export { type CniRuntime, type CniRuntimeOptions, type ContainerCall, createCniRuntime } from './cni-runtime.ts';
export { CniPluginError } from './plugin-error.ts';
export {
  createPluginExec,
  type PluginCallInput,
  type PluginCallOutput,
  type PluginExec,
  type PluginExecOptions,
} from './plugin-exec.ts';
