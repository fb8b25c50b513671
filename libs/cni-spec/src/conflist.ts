/**
 * Configuration lists and what a runtime makes of them for each plugin. This is libcni's part of the protocol: the lab
 * and the tests drive plugins with it exactly as containerd does.
 */
import { err, ok, type Result } from 'net-types';
import { CNI_ERROR, type CniFailure, failure } from './failure.ts';
import {
  Fields,
  isJsonList,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
  readFields,
} from './json-fields.ts';
import { type NetworkName, parseNetworkName, parsePluginType, type PluginType } from './name.ts';
import { type ValidAttachment } from './network-config.ts';
import { newestSpecVersion, SPEC_VERSIONS, type SpecVersion } from './spec-version.ts';

export interface ConfListPlugin {
  readonly type: PluginType;
  /** Capabilities that it declares to take (value true). */
  readonly capabilities: readonly string[];
  readonly raw: JsonObject;
}

export interface ConfList {
  readonly name: NetworkName;
  /** The newest of `cniVersion` and `cniVersions`. */
  readonly cniVersion: SpecVersion;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly ConfListPlugin[];
  /** The text as given: runtimes cache it for DEL. */
  readonly text: string;
}

export interface ConfListOptions {
  /** False: as libcni 1.1 of containerd 1.6, which takes `cniVersion` and knows no `cniVersions`. */
  readonly knowsCniVersions?: boolean;
}

export function parseConfList(text: string, options: ConfListOptions = {}): Result<ConfList, CniFailure> {
  const json = parseJson(text);
  if (!json.ok) return err(failure(CNI_ERROR.decodeFailure, 'the configuration list is not JSON', json.error));
  const read = readFields(() => readConfList(json.value, text, options.knowsCniVersions ?? true));
  return read.ok ? ok(read.value) : err(failure(CNI_ERROR.invalidConfig, read.error));
}

function readConfList(value: JsonValue, text: string, knowsCniVersions: boolean): ConfList {
  const fields = Fields.of(value, '');
  const versions = [fields.string('cniVersion'), ...(knowsCniVersions ? fields.strings('cniVersions') : [])];
  const plugins = fields.objects('plugins');
  if (plugins.length === 0) fields.fail('plugins', 'a list of at least one plugin');
  return {
    name: fields.parsed('name', parseNetworkName),
    cniVersion: newestSpecVersion(versions) ?? fields.fail('cniVersion', `one of ${SPEC_VERSIONS.join(', ')}`),
    disableCheck: readSwitch(fields, 'disableCheck'),
    disableGC: readSwitch(fields, 'disableGC'),
    plugins: plugins.map((plugin, index) => readPlugin(plugin, rawPlugin(value, index))),
    text,
  };
}

/** The specification had these switches as strings for a while. */
function readSwitch(fields: Fields, key: string): boolean {
  try {
    return fields.optionalBoolean(key) ?? false;
  } catch (error) {
    const text = fields.optionalString(key);
    if (text === 'true' || text === 'false') return text === 'true';
    throw error;
  }
}

function rawPlugin(list: JsonValue, index: number): JsonObject {
  const plugins = isJsonObject(list) ? list['plugins'] : undefined;
  const raw = isJsonList(plugins) ? plugins[index] : undefined;
  return isJsonObject(raw) ? raw : {};
}

function readPlugin(fields: Fields, raw: JsonObject): ConfListPlugin {
  const declared = fields.optionalRaw('capabilities') ?? {};
  const capabilities = Object.keys(declared).filter((name) => declared[name] === true);
  return { type: fields.parsed('type', parsePluginType), capabilities, raw };
}

export interface PluginCall {
  /** Result so far, or of the last ADD, as JSON of the list's version. */
  readonly prevResult?: JsonObject;
  /** What the runtime has for capabilities; only those that the plugin declares reach it. */
  readonly capabilityArgs?: JsonObject;
  /** GC alone. */
  readonly validAttachments?: readonly ValidAttachment[];
}

/** The JSON that one plugin of the list gets on stdin. */
export function pluginConfig(list: ConfList, plugin: ConfListPlugin, call: PluginCall): JsonObject {
  const own = Object.entries(plugin.raw).filter(([key]) => key !== 'capabilities');
  const runtimeConfig: Record<string, JsonValue> = {};
  for (const name of plugin.capabilities) {
    const value = call.capabilityArgs?.[name];
    if (value !== undefined) runtimeConfig[name] = value;
  }
  return {
    ...Object.fromEntries(own),
    name: list.name,
    cniVersion: list.cniVersion,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(call.prevResult !== undefined && { prevResult: call.prevResult }),
    ...(call.validAttachments !== undefined && {
      'cni.dev/valid-attachments': call.validAttachments.map(({ containerId, containerInterface }) => ({
        containerID: containerId,
        ifname: containerInterface,
      })),
    }),
  };
}
