export { type CniArgs, parseCniArgs, podOfCniArgs } from './cni-args.ts';
export { isConfFileName, pluginsOf, pluginTypeOf, pluginTypesOf } from './conf-directory.ts';
export {
  type ConfList,
  type ConfListOptions,
  type ConfListPlugin,
  parseConfList,
  pluginConfig,
  type PluginCall,
} from './conflist.ts';
export { type CniCommand, type CniEnvironment, parseEnvironment } from './environment.ts';
export { CANAL_ERROR, CNI_ERROR, type CniFailure, failure, formatFailure } from './failure.ts';
export { Fields, isJsonObject, type JsonObject, type JsonValue, parseJson, readFields, show } from './json-fields.ts';
export {
  type ContainerId,
  type NetworkName,
  parseContainerId,
  parseNetworkName,
  parsePluginType,
  type PluginType,
} from './name.ts';
export {
  type NetworkConfig,
  parseNetworkConfig,
  parseRequestedIp,
  type ValidAttachment,
  versionOfInput,
} from './network-config.ts';
export { type CniDns, type CniInterface, type CniIp, type CniResult, type CniRoute, NO_DNS } from './result.ts';
export { formatResult, resultToJson } from './result-format.ts';
export { parseResult } from './result-parse.ts';
export {
  isSpecVersion,
  LATEST_SPEC_VERSION,
  SPEC_VERSIONS,
  type SpecVersion,
  specVersionAtLeast,
} from './spec-version.ts';
export { formatVersionAnswer } from './version-answer.ts';
