/**
 * Canal's own keys of a network configuration, and flannel's: a configuration with `delegate` (10-flannel.conflist) is
 * served in bridge mode, as flannel's plugin and the bridge plugin did together.
 */
import {
  CNI_ERROR,
  Fields,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type NetworkConfig,
  readFields,
  show,
} from '@canal/cni-spec';
import { DEFAULT_POLICY_SOCKET, MAX_SOCKET_PATH_BYTES } from '@canal/agent-protocol';
import { DEFAULT_DATA_DIR, DEFAULT_STATE_DIR } from '@canal/node-state';
import { BRIDGE_NAME } from '@canal/model';
import { type InterfaceName, parseInterfaceName, unwrap } from 'net-types';
import { PluginError } from './plugin-error.ts';

export interface PluginConfig {
  readonly mode: 'routed' | 'bridge';
  readonly subnetFile: string;
  /** Reservations, in host-local's format. */
  readonly dataDir: string;
  /** Attachment records. */
  readonly stateDir: string;
  /** Where the policy agent is told of pods. Absent: the network alone, without policy. */
  readonly policySocket?: string;
  /** Absent: the node agent's, from the subnet file. */
  readonly mtuBytes?: number;
  /** Bridge mode alone. */
  readonly bridge: InterfaceName;
  /** Bridge mode alone: a frame may leave by the port it came in, so that a pod reaches itself through a Service. */
  readonly hairpinMode: boolean;
  /** Bridge mode alone: the bridge gets the subnet's first address. */
  readonly isGateway: boolean;
  /** Bridge mode alone: and pods get a default route through it. */
  readonly isDefaultGateway: boolean;
}

export const DEFAULT_SUBNET_FILE = '/run/flannel/subnet.env';

/** IPv4 hosts must take 68 bytes (RFC 791). IPv6's 1280 is checked where the families are known. */
const MTU_MIN = 68;
const MTU_MAX = 65_535;

/** Code 7 names field, value and expectation; code 2 a field that only other plugins support. */
export function parsePluginConfig(config: NetworkConfig): PluginConfig {
  const parsed = readFields(() => {
    const fields = Fields.of(config.plugin, '');
    const delegate = fields.optionalObject('delegate');
    const isFlannels = delegate !== undefined || config.type === 'flannel';
    return isFlannels ? readFlannelConfig(fields, delegate) : readConfig(fields);
  });
  if (!parsed.ok) throw new PluginError(CNI_ERROR.invalidConfig, parsed.error);
  refuseUnsupported(config.plugin, '');
  const delegate = config.plugin['delegate'];
  if (isJsonObject(delegate)) refuseUnsupported(delegate, 'delegate.');
  return parsed.value;
}

/**
 * For DEL and GC: the places alone, and defaults for the rest. A person who misspells a key in the file must not keep pods
 * from being taken down, nor those whose ADD failed for it: runtimes try a DEL that fails for ever.
 */
export function parseCleanUpConfig(config: NetworkConfig): PluginConfig {
  const { dataDir, stateDir, ipam, delegate, policy, policySocket } = config.plugin;
  const kept = (values: Readonly<Record<string, JsonValue | undefined>>): JsonObject =>
    Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
  const plugin = kept({
    dataDir,
    stateDir,
    ipam: isJsonObject(ipam) ? kept({ dataDir: ipam['dataDir'] }) : undefined,
    delegate: isJsonObject(delegate) ? {} : undefined,
    policy: policy === 'required' ? policy : undefined,
    // A wrong one is not worth a failure: nobody is told, as when the agent is away.
    policySocket:
      typeof policySocket === 'string' && isPlainPath(policySocket) && fitsSocket(policySocket)
        ? policySocket
        : undefined,
  });
  return parsePluginConfig({ ...config, plugin });
}

function readConfig(fields: Fields): PluginConfig {
  const mode = fields.optionalString('mode') ?? 'routed';
  if (mode !== 'routed' && mode !== 'bridge') fields.fail('mode', '"routed" or "bridge"');
  const config = {
    mode,
    dataDir: readDirectory(fields, 'dataDir') ?? DEFAULT_DATA_DIR,
    ...readPlaces(fields),
    ...readBridge(fields, true),
  } as const;
  if (mode === 'bridge') requirePolicedBridge(fields, config);
  return config;
}

/** flannel's `dataDir` is a cache of its own that canal has no use for; the IPAM part has the one of host-local. */
function readFlannelConfig(fields: Fields, delegate: Fields | undefined): PluginConfig {
  const ipam = fields.optionalObject('ipam');
  const ipamType = ipam?.optionalString('type') ?? 'host-local';
  if (ipamType !== 'host-local') ipam?.fail('type', '"host-local": canal gives out addresses itself');
  const type = delegate?.optionalString('type') ?? 'bridge';
  if (type !== 'bridge') delegate?.fail('type', '"bridge"');
  for (const key of ['name', 'ipam']) if (delegate?.has(key) === true) delegate.fail(key, 'nothing: it is set here');
  const bridge = delegate ?? Fields.of({}, 'delegate');
  const config = {
    mode: 'bridge',
    dataDir: (ipam && readDirectory(ipam, 'dataDir')) ?? DEFAULT_DATA_DIR,
    ...readPlaces(fields),
    ...readBridge(bridge, false),
  } as const;
  requirePolicedBridge(bridge, config);
  return config;
}

/** The agents' rules, and what they keep of a bridge, are about this one. */
function requirePolicedBridge(
  fields: Fields,
  { bridge, policySocket }: Pick<PluginConfig, 'bridge' | 'policySocket'>,
): void {
  if (policySocket === undefined || bridge === BRIDGE_NAME) return;
  fields.fail('bridge', `"${BRIDGE_NAME}" where policy is required ("policy": "off" takes any)`);
}

function readPlaces(fields: Fields): Pick<PluginConfig, 'subnetFile' | 'stateDir' | 'policySocket'> {
  const policySocket = readPolicySocket(fields);
  return {
    subnetFile: readDirectory(fields, 'subnetFile') ?? DEFAULT_SUBNET_FILE,
    stateDir: readDirectory(fields, 'stateDir') ?? DEFAULT_STATE_DIR,
    ...(policySocket !== undefined && { policySocket }),
  };
}

/** Off unless it is asked for, as in configurations from before there was an agent, and in flannel's. */
function readPolicySocket(fields: Fields): string | undefined {
  const policy = fields.optionalString('policy') ?? 'off';
  if (policy !== 'required' && policy !== 'off') fields.fail('policy', '"required" or "off"');
  const socket = readDirectory(fields, 'policySocket') ?? DEFAULT_POLICY_SOCKET;
  if (!fitsSocket(socket)) fields.fail('policySocket', `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes`);
  return policy === 'required' ? socket : undefined;
}

type BridgeKeys = Pick<PluginConfig, 'bridge' | 'hairpinMode' | 'isGateway' | 'isDefaultGateway' | 'mtuBytes'>;

/** flannel's delegate has no default route unless it says so; canal's own bridge mode has one unless it says not. */
function readBridge(fields: Fields, defaultGateway: boolean): BridgeKeys {
  const isDefaultGateway = fields.optionalBoolean('isDefaultGateway') ?? defaultGateway;
  const mtu = fields.optionalInteger('mtu', 0, MTU_MAX) ?? 0;
  if (mtu !== 0 && mtu < MTU_MIN) fields.fail('mtu', `0 (the node's) or bytes within ${MTU_MIN}..${MTU_MAX}`);
  return {
    bridge: readBridgeName(fields),
    hairpinMode: fields.optionalBoolean('hairpinMode') ?? defaultGateway,
    isGateway: isDefaultGateway || (fields.optionalBoolean('isGateway') ?? true),
    isDefaultGateway,
    ...(mtu !== 0 && { mtuBytes: mtu }),
  };
}

/** A bridge of one of these names would be another thing: see CNI_IFNAME. */
const RESERVED_NAMES = ['lo', 'all', 'default'];

function readBridgeName(fields: Fields): InterfaceName {
  const name = fields.optionalParsed('bridge', parseInterfaceName) ?? unwrap(parseInterfaceName(BRIDGE_NAME));
  if (RESERVED_NAMES.includes(name) || name.includes('%')) fields.fail('bridge', 'the name of a bridge, without "%"');
  return name;
}

/** An absolute path without "." and "..": what it names must not depend on where the runtime was started. */
function readDirectory(fields: Fields, key: string): string | undefined {
  const path = fields.optionalString(key);
  if (path === undefined) return undefined;
  return isPlainPath(path) ? path : fields.fail(key, 'an absolute path without "." and ".."');
}

function isPlainPath(path: string): boolean {
  return path.startsWith('/') && !path.includes('\0') && !path.split('/').some(isDots);
}

function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
}

function isDots(part: string): boolean {
  return part === '.' || part === '..';
}

/** Keys of the bridge plugin that change what a pod gets: to pass over one would give less than was asked for. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  ipMasq: 'the node agent masquerades (flanneld --ip-masq)',
  vlan: 'canal has no VLANs',
  vlanTrunk: 'canal has no VLANs',
  promiscMode: 'use hairpinMode',
  macspoofchk: 'the policy agent binds pods to their addresses',
};

function refuseUnsupported(object: JsonObject, path: string): void {
  for (const [key, reason] of Object.entries(UNSUPPORTED)) {
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    if (value === undefined || value === null || value === false || value === 0) continue;
    throw new PluginError(CNI_ERROR.unsupportedField, `unsupported field ${path}${key}: ${show(value)}`, {
      details: reason,
    });
  }
}
