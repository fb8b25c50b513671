/**
 * The addresses of one network on disk, in host-local's format and under its lock, so that a node can change between
 * both plugins in either direction:
 *
 *     <dataDir>/<network>/lock                  flock(2), exclusive
 *                        /10.244.1.5            "<containerId>\r\n<ifname>"
 *                        /last_reserved_ip.0    "10.244.1.5", one file for each range set
 */
import { closeSync, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs';
import { type NetworkName } from '@canal/cni-spec';
import { type Owner, type Reservation } from '@canal/ipam';
import { formatIp, type Ip, parseIp } from 'net-types';
import { removeIfPresent, removeTemporaryFiles, TEMPORARY_PREFIX, writeFileAtomic } from './atomic-file.ts';
import { type AttachmentKey } from './attachment-store.ts';
import { errnoOf, ioError, NodeStateError } from './node-state-error.ts';
import { takePoolLock } from './pool-lock.ts';
import { namesIn, readIfPresent } from './present-file.ts';

export const DEFAULT_DATA_DIR = '/var/lib/cni/networks';

export interface PoolLocation {
  readonly dataDir: string;
  readonly network: NetworkName;
  /** How long to wait for the lock before NodeStateError `locked`. */
  readonly lockTimeoutMs: number;
}

/** The pool under its lock. Not to be used after the action that got it has ended. */
export interface AddressPool {
  /** Who holds what; a file that does not say has no owner. */
  reservations(): Reservation[];
  /** Addresses held in this network, and in others of the same directory: a node that came from flannel has those. */
  taken(): Set<Ip>;
  ownerOf(ip: Ip): Owner | undefined;
  /** Changes when the address is given out anew; undefined when it is free. */
  generationOf(ip: Ip): string | undefined;
  lastReserved(rangeSet: number): Ip | undefined;
  setLastReserved(rangeSet: number, ip: Ip): void;
  reserve(ip: Ip, owner: AttachmentKey): void;
  /** True when the address was held. */
  release(ip: Ip): boolean;
}

/** host-local's line break, on every system. */
const OWNER_BREAK = '\r\n';
const LOCK = 'lock';
const FILE_MODE = 0o644;

/** Runs the action under the network's lock, creating the directory if needed. */
export function withAddressPool<T>(location: PoolLocation, action: (pool: AddressPool) => T): T {
  const directory = directoryOf(location);
  using _lock = lockIn(directory, location) ?? lockInNew(directory, location);
  return action(openPool(location, directory));
}

/** The same, unless the network has no directory: then nothing is held, and undefined comes back. */
export function withExistingAddressPool<T>(location: PoolLocation, action: (pool: AddressPool) => T): T | undefined {
  const directory = directoryOf(location);
  using lock = lockIn(directory, location);
  return lock === undefined ? undefined : action(openPool(location, directory));
}

function directoryOf({ dataDir, network }: PoolLocation): string {
  return `${dataDir}/${network}`;
}

/** Undefined when there is no such directory. */
function lockIn(directory: string, { lockTimeoutMs }: PoolLocation): Disposable | undefined {
  return takePoolLock(`${directory}/${LOCK}`, lockTimeoutMs);
}

function lockInNew(directory: string, location: PoolLocation): Disposable {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw ioError(directory, 'create', error);
  }
  const lock = lockIn(directory, location);
  if (lock !== undefined) return lock;
  throw new NodeStateError('missing', directory, 'was deleted while it was being made');
}

function openPool({ dataDir, network }: PoolLocation, directory: string): AddressPool {
  const names = namesIn(directory);
  // Whoever wrote them died: nobody else is here under the lock.
  if (names.some((name) => name.startsWith(TEMPORARY_PREFIX))) removeTemporaryFiles(directory, names);
  const held = new Set(addressesIn(names));
  const fileOf = (ip: Ip): string => `${directory}/${formatIp(ip)}`;
  const lastReservedName = (rangeSet: number): string => `last_reserved_ip.${rangeSet}`;
  return {
    reservations() {
      return [...held].map((ip) => {
        const owner = readOwner(fileOf(ip));
        return { ip, ...(owner !== undefined && { owner }) };
      });
    },
    taken: () => held.union(new Set(addressesOfOthers(dataDir, network))),
    ownerOf: (ip) => (held.has(ip) ? readOwner(fileOf(ip)) : undefined),
    generationOf: (ip) => generationOf(fileOf(ip)),
    lastReserved(rangeSet) {
      const text = readIfPresent(`${directory}/${lastReservedName(rangeSet)}`);
      const ip = parseIp(text?.trim() ?? '');
      // Torn by a power cut: the search begins at the first address again.
      return ip.ok ? ip.value : undefined;
    },
    setLastReserved(rangeSet, ip) {
      const name = lastReservedName(rangeSet);
      if (overwriteInPlace(`${directory}/${name}`, formatIp(ip))) return;
      writeFileAtomic(directory, name, formatIp(ip), { mode: FILE_MODE, survives: 'process' });
    },
    reserve(ip, { containerId, containerInterface }) {
      const text = `${containerId}${OWNER_BREAK}${containerInterface}`;
      writeFileAtomic(directory, formatIp(ip), text, { mode: FILE_MODE, survives: 'process' });
      held.add(ip);
    },
    release(ip) {
      held.delete(ip);
      return removeIfPresent(fileOf(ip));
    },
  };
}

/** File names that are addresses; everything else in the directory is none of ours. */
function addressesIn(names: readonly string[]): Ip[] {
  return names.flatMap((name) => {
    const ip = parseIp(name);
    return ip.ok ? [ip.value] : [];
  });
}

function addressesOfOthers(dataDir: string, network: NetworkName): Ip[] {
  const others = namesIn(dataDir).filter((name) => name !== network);
  return others.flatMap((name) => addressesIn(namesIn(`${dataDir}/${name}`)));
}

/**
 * Writes the text over one that is not longer: one write within one page, so old or new as well. Renaming over a file
 * makes ext4 allocate and submit its blocks at once, ten times the cost, and this file is written by each ADD. False
 * when there is no file, or a longer text in it.
 */
function overwriteInPlace(path: string, text: string): boolean {
  try {
    const fd = openSync(path, 'r+');
    try {
      if (fstatSync(fd).size > text.length) return false;
      writeSync(fd, text, 0);
      return true;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw ioError(path, 'write', error);
  }
}

function readOwner(path: string): Owner | undefined {
  // host-local trims the id; a file of its first versions is the id alone.
  const [containerId = '', containerInterface] = (readIfPresent(path) ?? '').trim().split(OWNER_BREAK);
  if (containerId === '') return undefined;
  return containerInterface === undefined ? { containerId } : { containerId, containerInterface };
}

function generationOf(path: string): string | undefined {
  try {
    const { ino, mtimeMs } = statSync(path);
    return `${ino}:${mtimeMs}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw ioError(path, 'look at', error);
  }
}
