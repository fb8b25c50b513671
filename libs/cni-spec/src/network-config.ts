/** The configuration on stdin: the keys that the specification defines. A plugin reads its own from `plugin`. */
import {
  err,
  type InterfaceAddress,
  type InterfaceName,
  ipFamily,
  familyBits,
  type Mac,
  ok,
  type ParseError,
  parseInterfaceAddress,
  parseInterfaceName,
  parseIp,
  parseMac,
  type Result,
} from 'net-types';
import { type CniCommand } from './environment.ts';
import { CNI_ERROR, type CniFailure, failure } from './failure.ts';
import { Fields, isJsonObject, type JsonObject, type JsonValue, parseJson, readFields, show } from './json-fields.ts';
import { type ContainerId, type NetworkName, parseContainerId, parseNetworkName, type PluginType } from './name.ts';
import { parsePluginType } from './name.ts';
import { type CniDns, type CniResult, NO_DNS } from './result.ts';
import { parseResult, readDns } from './result-parse.ts';
import { isSpecVersion, SPEC_VERSIONS, type SpecVersion, specVersionAtLeast } from './spec-version.ts';

export interface ValidAttachment {
  readonly containerId: ContainerId;
  readonly containerInterface: InterfaceName;
}

export interface NetworkConfig {
  readonly cniVersion: SpecVersion;
  readonly name: NetworkName;
  readonly type: PluginType;
  /** The result so far (ADD of a later plugin) or of the last ADD (CHECK, DEL). */
  readonly prevResult?: CniResult;
  /** Addresses asked for, without host part rules: the `ips` capability, else args.cni.ips. */
  readonly requestedIps: readonly InterfaceAddress[];
  /** The `mac` capability, else args.cni.mac. */
  readonly requestedMac?: Mac;
  readonly dns: CniDns;
  /** GC: what lives. Undefined when the runtime gave no list, which is not the same as an empty one. */
  readonly validAttachments?: readonly ValidAttachment[];
  /** All keys as they came: a plugin's own are read from here. */
  readonly plugin: JsonObject;
}

const FIRST_VERSION: Readonly<Partial<Record<CniCommand, SpecVersion>>> = {
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
};

/**
 * Code 6 for what is no JSON object, 1 for a version that canal (or the verb) does not speak, 7 for a field that is wrong.
 * For DEL a prevResult that cannot be read counts as absent: cleaning up must not depend on it.
 */
export function parseNetworkConfig(text: string, command: CniCommand): Result<NetworkConfig, CniFailure> {
  const json = parseJson(text);
  if (!json.ok) return err(failure(CNI_ERROR.decodeFailure, 'the network configuration is not JSON', json.error));
  if (!isJsonObject(json.value)) {
    return err(failure(CNI_ERROR.decodeFailure, `expected a JSON object on stdin, found ${show(json.value)}`));
  }
  const cniVersion = readVersion(json.value, command);
  if (!cniVersion.ok) return cniVersion;
  const prevResult = readPrevResult(json.value, command);
  if (!prevResult.ok) return err(failure(CNI_ERROR.invalidConfig, prevResult.error));
  const raw = json.value;
  const config = readFields(() => readConfig(raw, cniVersion.value, prevResult.value, command));
  return config.ok ? config : err(failure(CNI_ERROR.invalidConfig, config.error));
}

function readVersion(config: JsonObject, command: CniCommand): Result<SpecVersion, CniFailure> {
  // The specification's default for configurations older than the key itself.
  const version = config['cniVersion'] ?? '0.1.0';
  if (typeof version !== 'string') {
    return err(failure(CNI_ERROR.decodeFailure, `cniVersion: ${show(version)}: expected a string`));
  }
  if (!isSpecVersion(version)) {
    const details = `the configuration asks for ${show(version)}, canal speaks ${SPEC_VERSIONS.join(', ')}`;
    return err(failure(CNI_ERROR.incompatibleVersion, 'incompatible CNI version', details));
  }
  const first = FIRST_VERSION[command];
  if (first === undefined || specVersionAtLeast(version, first)) return ok(version);
  const details = `${command} came with ${first}, the configuration asks for ${version}`;
  return err(failure(CNI_ERROR.incompatibleVersion, `CNI version ${version} has no ${command}`, details));
}

function readPrevResult(config: JsonObject, command: CniCommand): Result<CniResult | undefined, string> {
  const value = config['prevResult'] ?? undefined;
  if (value === undefined) {
    return command === 'CHECK' ? err('prevResult: missing: CHECK needs the result of the last ADD') : ok(undefined);
  }
  const result = parseResult(value, 'prevResult');
  return !result.ok && command === 'DEL' ? ok(undefined) : result;
}

function readConfig(
  raw: JsonObject,
  cniVersion: SpecVersion,
  prevResult: CniResult | undefined,
  command: CniCommand,
): NetworkConfig {
  const fields = Fields.of(raw, '');
  const base = {
    cniVersion,
    name: fields.parsed('name', parseNetworkName),
    type: fields.parsed('type', parsePluginType),
    ...(prevResult !== undefined && { prevResult }),
    plugin: raw,
  };
  // Only ADD acts on requests and dns, only GC on the list: the other verbs must not fail on them.
  const requestedIps = command === 'ADD' ? readRequestedIps(fields) : [];
  const requestedMac = command === 'ADD' ? readRequestedMac(fields) : undefined;
  const validAttachments = command === 'GC' ? readValidAttachments(raw) : undefined;
  return {
    ...base,
    requestedIps,
    ...(requestedMac !== undefined && { requestedMac }),
    dns: command === 'ADD' ? readDns(fields) : NO_DNS,
    ...(validAttachments !== undefined && { validAttachments }),
  };
}

function readRequestedIps(fields: Fields): InterfaceAddress[] {
  const runtime = fields.optionalObject('runtimeConfig');
  if (runtime?.has('ips') === true) return runtime.parsedStrings('ips', parseRequestedIp);
  return fields.optionalObject('args')?.optionalObject('cni')?.parsedStrings('ips', parseRequestedIp) ?? [];
}

function readRequestedMac(fields: Fields): Mac | undefined {
  const runtime = fields.optionalObject('runtimeConfig')?.optionalParsed('mac', parseMac);
  return runtime ?? fields.optionalObject('args')?.optionalObject('cni')?.optionalParsed('mac', parseMac);
}

/** An address that is asked for, with or without a prefix length (then of one address): both are in use. */
export function parseRequestedIp(text: string): Result<InterfaceAddress, ParseError> {
  if (text.includes('/')) return parseInterfaceAddress(text);
  const ip = parseIp(text);
  return ip.ok ? ok({ ip: ip.value, prefixLen: familyBits(ipFamily(ip.value)) }) : ip;
}

/**
 * `cni.dev/valid-attachments`, and the misnamed `cni.dev/attachments` that libcni sent beside it. Undefined when neither
 * is a list: a Go runtime without pods writes null, and so does a broken one, so null must not mean "nothing lives".
 * An entry that cannot be read ends the reading: passing over it would remove a pod that lives.
 */
function readValidAttachments(raw: JsonObject): ValidAttachment[] | undefined {
  const lists = ['cni.dev/valid-attachments', 'cni.dev/attachments'].flatMap((key) => {
    const fields = Fields.of(raw, '');
    return fields.has(key) ? [fields.objects(key)] : [];
  });
  if (lists.length === 0) return undefined;
  return lists.flat().map((fields) => ({
    containerId: fields.parsed('containerID', parseContainerId),
    containerInterface: fields.parsed('ifname', parseInterfaceName),
  }));
}

/** The VERSION verb's stdin: the version to answer in, if it can be told. The answer must not depend on a configuration. */
export function versionOfInput(text: string): SpecVersion | undefined {
  const json = parseJson(text);
  const version: JsonValue | undefined = json.ok && isJsonObject(json.value) ? json.value['cniVersion'] : undefined;
  return typeof version === 'string' && isSpecVersion(version) ? version : undefined;
}
