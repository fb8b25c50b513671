/**
 * Attachment records: <stateDir>/attachments/<network>/<containerId>:<ifname>.json. The plugin writes a record before it
 * touches the kernel and deletes it last, so each link and address of ours has a record, whenever a process dies; a
 * record alone says "an ADD got this far", not "the pod is up".
 */
import { mkdirSync } from 'node:fs';
import { type ContainerId, type NetworkName, parseContainerId, parseNetworkName } from '@canal/cni-spec';
import type { Attachment } from '@canal/model';
import { err, type InterfaceName, parseInterfaceName, type Result, unwrap } from 'net-types';
import { removeIfPresent, removeTemporaryFiles, writeFileAtomic } from './atomic-file.ts';
import { formatAttachment, parseAttachment } from './attachment-record.ts';
import { errnoOf, ioError, NodeStateError } from './node-state-error.ts';
import { namesIn, readIfPresent } from './present-file.ts';

/** The CNI key of an attachment within its network. */
export interface AttachmentKey {
  readonly containerId: ContainerId;
  readonly containerInterface: InterfaceName;
}

/** A record that does not parse: torn by a power cut, or of a later canal. */
export interface UnreadableRecord {
  readonly network: NetworkName;
  /** Taken from the file's name; undefined when that is none of ours. */
  readonly key: AttachmentKey | undefined;
  readonly path: string;
  readonly problem: string;
}

export interface AttachmentListing {
  readonly attachments: readonly Attachment[];
  readonly unreadable: readonly UnreadableRecord[];
}

/** The key that names from a file may be; undefined for names that no attachment can have. */
export function parseAttachmentKey(names: {
  readonly containerId: string;
  readonly containerInterface?: string;
}): AttachmentKey | undefined {
  const containerId = parseContainerId(names.containerId);
  const containerInterface = parseInterfaceName(names.containerInterface ?? '');
  if (!containerId.ok || !containerInterface.ok) return undefined;
  return { containerId: containerId.value, containerInterface: containerInterface.value };
}

export interface AttachmentStore {
  /** All records of a network, or of all networks. A directory that does not exist yet holds none. */
  list(network?: NetworkName): AttachmentListing;
  /** Undefined when there is none. Throws NodeStateError `invalid` for one that does not parse. */
  read(network: NetworkName, key: AttachmentKey): Attachment | undefined;
  write(network: NetworkName, key: AttachmentKey, attachment: Attachment): void;
  /** True when there was one. */
  remove(network: NetworkName, key: AttachmentKey): boolean;
  /** Clears what killed writers left. The caller holds the network's lock. */
  removeTemporaries(network: NetworkName): void;
  /** Directory of a network's records; to watch it for changes. */
  directoryOf(network: NetworkName): string;
  createDirectory(network: NetworkName): void;
}

/** The key of a record that this store gave out: what it was filed under was checked then. */
export function keyOfAttachment(attachment: Attachment): AttachmentKey {
  return {
    containerId: unwrap(parseContainerId(attachment.containerId)),
    containerInterface: attachment.containerInterface,
  };
}

export const DEFAULT_STATE_DIR = '/var/lib/canal';

const SUFFIX = '.json';

export function createAttachmentStore(stateDir: string = DEFAULT_STATE_DIR): AttachmentStore {
  const root = `${stateDir}/attachments`;
  const directoryOf = (network: NetworkName): string => `${root}/${network}`;
  const pathOf = (network: NetworkName, key: AttachmentKey): string => `${directoryOf(network)}/${fileName(key)}`;
  return {
    directoryOf,
    createDirectory(network) {
      createDirectory(directoryOf(network));
    },
    list(network) {
      const attachments: Attachment[] = [];
      const unreadable: UnreadableRecord[] = [];
      for (const name of network === undefined ? networksIn(root) : [network]) {
        for (const file of filesIn(directoryOf(name))) {
          const path = `${directoryOf(name)}/${file}`;
          const text = readIfPresent(path);
          // Deleted since the directory was read: a DEL came in between.
          if (text === undefined) continue;
          const key = keyOf(file);
          const parsed = parseOf(text, name, key);
          if (parsed.ok) attachments.push(parsed.value);
          else unreadable.push({ network: name, key, path, problem: parsed.error });
        }
      }
      return { attachments, unreadable };
    },
    read(network, key) {
      const path = pathOf(network, key);
      const text = readIfPresent(path);
      if (text === undefined) return undefined;
      const parsed = parseOf(text, network, key);
      if (parsed.ok) return parsed.value;
      throw new NodeStateError('invalid', path, parsed.error);
    },
    write(network, key, attachment) {
      const directory = directoryOf(network);
      const text = formatAttachment(attachment);
      writeCreatingDirectory(directory, () => {
        writeFileAtomic(directory, fileName(key), text, { mode: 0o600, survives: 'process' });
      });
    },
    remove(network, key) {
      return removeIfPresent(pathOf(network, key));
    },
    removeTemporaries(network) {
      removeTemporaryFiles(directoryOf(network), namesIn(directoryOf(network)));
    },
  };
}

function fileName(key: AttachmentKey): string {
  return `${key.containerId}:${key.containerInterface}${SUFFIX}`;
}

/** A container id holds no colon and an interface name neither, so the one colon parts them. */
function keyOf(file: string): AttachmentKey | undefined {
  const [containerId = '', containerInterface = '', ...rest] = file.slice(0, -SUFFIX.length).split(':');
  return rest.length > 0 ? undefined : parseAttachmentKey({ containerId, containerInterface });
}

/** A record must speak of the attachment that its file is named after: it decides what DEL and GC remove. */
function parseOf(text: string, network: NetworkName, key: AttachmentKey | undefined): Result<Attachment, string> {
  const parsed = parseAttachment(text);
  if (!parsed.ok) return parsed;
  const { containerId, containerInterface } = parsed.value;
  const own = parsed.value.network === network && containerId === key?.containerId;
  if (own && containerInterface === key.containerInterface) return parsed;
  return err(`the record is of ${parsed.value.network} ${containerId}:${containerInterface}`);
}

/** Only names that a network can have: nothing else is ever followed. */
function networksIn(root: string): NetworkName[] {
  return namesIn(root).flatMap((name) => {
    const network = parseNetworkName(name);
    return network.ok ? [network.value] : [];
  });
}

function filesIn(directory: string): string[] {
  return namesIn(directory).filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'));
}

/** Makes the directory only when the write finds it missing: it is there in all ADDs but a node's first. */
function writeCreatingDirectory(directory: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof NodeStateError) || errnoOf(error.cause) !== 'ENOENT') throw error;
    createDirectory(directory);
    write();
  }
}

function createDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw ioError(directory, 'create', error);
  }
}
