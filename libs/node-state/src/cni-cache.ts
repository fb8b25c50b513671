/**
 * The runtime's cache of ADD results, as libcni writes it: <cacheDir>/results/<network>-<containerId>-<ifname>. An entry
 * means that the runtime has a sandbox which it has not torn down; the names in the file count, not the file's name.
 */
import { existsSync, mkdirSync } from 'node:fs';
import {
  type ContainerId,
  Fields,
  type JsonObject,
  type NetworkName,
  parseContainerId,
  parseJson,
  parseNetworkName,
  readFields,
} from '@canal/cni-spec';
import { type InterfaceName, parseInterfaceName } from 'net-types';
import { removeIfPresent, writeFileAtomic } from './atomic-file.ts';
import { type AttachmentKey } from './attachment-store.ts';
import { ioError } from './node-state-error.ts';
import { namesIn, readIfPresent } from './present-file.ts';

export const DEFAULT_CNI_CACHE_DIR = '/var/lib/cni';

export interface CachedAttachment {
  readonly network: NetworkName;
  readonly containerId: ContainerId;
  readonly containerInterface: InterfaceName;
  /** libcni 1.2 and newer write it; else the first sandbox of the result. */
  readonly netns?: string;
  /** Text of the configuration list of the ADD. */
  readonly config: string;
  readonly cniArgs: readonly (readonly [string, string])[];
  readonly capabilityArgs?: JsonObject;
  readonly result?: JsonObject;
}

export interface CniCache {
  /** Entries of one network; undefined when there is no cache here, which says nothing on any container. */
  list(network: NetworkName): readonly CachedAttachment[] | undefined;
  read(network: NetworkName, key: AttachmentKey): CachedAttachment | undefined;
  write(entry: CachedAttachment): void;
  remove(network: NetworkName, key: AttachmentKey): void;
}

/** `kind` of an entry: the only version there is. */
const KIND = 'cniCacheV1';

export function createCniCache(cacheDir: string = DEFAULT_CNI_CACHE_DIR): CniCache {
  const directory = `${cacheDir}/results`;
  const nameOf = (network: NetworkName, key: AttachmentKey): string =>
    `${network}-${key.containerId}-${key.containerInterface}`;
  return {
    list(network) {
      const names = namesIn(directory);
      if (names.length === 0 && !existsSync(directory)) return undefined;
      const entries = names.map((name) => parseEntry(readIfPresent(`${directory}/${name}`)));
      return entries.filter((entry) => entry?.network === network).filter((entry) => entry !== undefined);
    },
    read: (network, key) => parseEntry(readIfPresent(`${directory}/${nameOf(network, key)}`)),
    write(entry) {
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 });
      } catch (error) {
        throw ioError(directory, 'create', error);
      }
      writeFileAtomic(directory, nameOf(entry.network, entry), formatEntry(entry), {
        mode: 0o600,
        survives: 'process',
      });
    },
    remove(network, key) {
      removeIfPresent(`${directory}/${nameOf(network, key)}`);
    },
  };
}

function formatEntry({ network, containerId, containerInterface, netns, config, ...rest }: CachedAttachment): string {
  return JSON.stringify({
    kind: KIND,
    containerId,
    // Go writes a []byte as base64.
    config: Buffer.from(config).toString('base64'),
    ifName: containerInterface,
    networkName: network,
    netns,
    cniArgs: rest.cniArgs.length === 0 ? undefined : rest.cniArgs,
    capabilityArgs: rest.capabilityArgs,
    result: rest.result,
  });
}

/** Undefined for whatever is no entry: other programs may keep files here. */
function parseEntry(text: string | undefined): CachedAttachment | undefined {
  const json = parseJson(text ?? '');
  if (!json.ok) return undefined;
  const entry = readFields(() => readEntry(Fields.of(json.value, 'entry')));
  return entry.ok ? entry.value : undefined;
}

function readEntry(fields: Fields): CachedAttachment {
  if (fields.string('kind') !== KIND) fields.fail('kind', KIND);
  const netns = fields.optionalString('netns') ?? sandboxOf(fields);
  const capabilityArgs = fields.optionalRaw('capabilityArgs');
  const result = fields.optionalRaw('result');
  return {
    network: fields.parsed('networkName', parseNetworkName),
    containerId: fields.parsed('containerId', parseContainerId),
    containerInterface: fields.parsed('ifName', parseInterfaceName),
    ...(netns !== undefined && { netns }),
    config: Buffer.from(fields.optionalString('config') ?? '', 'base64').toString(),
    cniArgs: fields.stringPairs('cniArgs'),
    ...(capabilityArgs !== undefined && { capabilityArgs }),
    ...(result !== undefined && { result }),
  };
}

function sandboxOf(fields: Fields): string | undefined {
  const interfaces = fields.optionalObject('result')?.objects('interfaces') ?? [];
  return interfaces.map((each) => each.optionalString('sandbox')).find((sandbox) => sandbox !== undefined);
}
