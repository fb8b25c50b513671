/** Programs, addresses given to pods, the runtime's cache, canal's own directories. */
import { dirname, join } from 'node:path';
import type { NetworkName } from '@canal/cni-spec';
import { createCniCache, type SysctlRecord } from '@canal/node-state';
import { hostPathOf } from '../host-path.ts';
import type { InstalledRecord } from '../installed-record.ts';
import { newName, oldName } from '../place-program.ts';
import { PROGRAM_FILES } from '../program-files.ts';
import { isMountPoint, isTemporary, isThere, namesIn, removeTree, textOf, unlink } from './files.ts';
import type { Found, Part } from './part.ts';

export interface ProgramPlace {
  /** That of the settings and those of earlier ones. */
  readonly directories: readonly string[];
  readonly hostRoot: string;
  readonly record: InstalledRecord;
  /** Of the running program. */
  readonly ownSha256: () => string;
}

/** By their bytes: what canal wrote there, or what this program is. */
export function programPart({ directories, hostRoot, record, ownSha256 }: ProgramPlace): Part {
  const findOne = (directory: string, name: 'canal' | 'loopback'): readonly Found[] => {
    const path = join(directory, name);
    const stat = PROGRAM_FILES.stat(path);
    if (stat === undefined) return [];
    const found = { kind: 'program', name: hostPathOf(hostRoot, path) } as const;
    const sha256 = stat.isFile() ? PROGRAM_FILES.hash(path) : '';
    const isOurs = record.knows(found.name, sha256) || sha256 === ownSha256();
    if (isOurs) return [{ ...found, act: () => unlink(path) }];
    // Most hosts have a loopback of their own: not worth a line.
    if (name === 'loopback') return [];
    return [{ ...found, note: 'not the file that canal installed: delete it if nobody else needs it' }];
  };
  const leftovers = (directory: string): Found[] =>
    [newName, oldName]
      .flatMap((nameOf) => [nameOf(directory, 'canal'), nameOf(directory, 'loopback')])
      .filter(isThere)
      .map((path) => ({ kind: 'program', name: hostPathOf(hostRoot, path), act: () => unlink(path) }));
  return {
    kind: 'program',
    find: () =>
      directories.flatMap((directory) => [
        ...findOne(directory, 'canal'),
        ...findOne(directory, 'loopback'),
        ...leftovers(directory),
      ]),
  };
}

/** Lock of all networks of a directory of reservations; host-local does not know it. */
const POOLS_LOCK = '.canal-lock';

/** Reservations of our networks; those of others in the same directory stay. */
export function addressPart(hostRoot: string, dataDir: string, networks: readonly NetworkName[]): Part {
  return {
    kind: 'address',
    find: () => {
      const found = networks.flatMap((network): Found[] => {
        const directory = join(dataDir, network);
        if (!isThere(directory)) return [];
        const held = namesIn(directory).filter((name) => /^[0-9a-f.:]+$/i.test(name)).length;
        const note = `${held} addresses held`;
        return [{ kind: 'address', name: hostPathOf(hostRoot, directory), note, act: () => removeTree(directory) }];
      });
      const lock = join(dataDir, POOLS_LOCK);
      const locks: Found[] = isThere(lock)
        ? [{ kind: 'address', name: hostPathOf(hostRoot, lock), act: () => unlink(lock) }]
        : [];
      return [...found, ...locks, ...emptyDirectory(hostRoot, dataDir, [...networks, POOLS_LOCK])];
    },
  };
}

/** libcni's entries of our networks: nobody would ever delete them. */
export function cachePart(cacheDir: string, networks: readonly NetworkName[]): Part {
  const cache = createCniCache(cacheDir);
  return {
    kind: 'cache',
    find: () =>
      networks.flatMap((network) =>
        (cache.list(network) ?? []).map((entry): Found => {
          const name = `${network} ${entry.containerId} ${entry.containerInterface}`;
          return { kind: 'cache', name, act: () => cache.remove(network, entry) };
        }),
      ),
  };
}

/** Flannel writes the same file: then it has taken the node over, and the devices of its name with it. */
export function isFlannels(subnetFile: string): boolean {
  const text = textOf(subnetFile);
  return text !== undefined && !/^CANAL_BOOT_ID=/m.test(text);
}

export function subnetPart(hostRoot: string, subnetFile: string): Part {
  const directory = dirname(subnetFile);
  return {
    kind: 'subnet-file',
    find: () => {
      const temporaries = namesIn(directory).filter(isTemporary);
      const isForeign = isFlannels(subnetFile);
      const ours = isForeign ? [] : [subnetFile];
      const files = [...ours, ...temporaries.map((name) => join(directory, name))].filter(isThere);
      const found = files.map((path): Found => {
        return { kind: 'subnet-file', name: hostPathOf(hostRoot, path), act: () => unlink(path) };
      });
      const foreign: Found = {
        kind: 'subnet-file',
        name: hostPathOf(hostRoot, subnetFile),
        note: 'flannel wrote it and has the node now',
      };
      return [
        ...(isForeign ? [foreign] : []),
        ...found,
        ...emptyDirectory(
          hostRoot,
          directory,
          files.map((path) => path.slice(directory.length + 1)),
        ),
      ];
    },
  };
}

/** The directory itself, if it holds nothing but what goes. */
function emptyDirectory(hostRoot: string, directory: string, going: readonly string[]): Found[] {
  if (!isThere(directory) || isMountPoint(directory)) return [];
  if (namesIn(directory).some((name) => !going.includes(name))) return [];
  return [{ kind: 'directory', name: hostPathOf(hostRoot, directory), act: () => removeTree(directory) }];
}

/** A directory of canal's own. `programs` are those that its record knows: without it nothing would, so they go first. */
export function statePart(hostRoot: string, directory: string, programs?: Part): Part {
  const remove = async (): Promise<void> => {
    const left = (await programs?.find())?.find(({ act }) => act !== undefined);
    if (left !== undefined) throw new Error(`kept, as it tells that ${left.name} is canal's`);
    removeTree(directory);
  };
  return {
    kind: 'directory',
    find: () => {
      if (!isThere(directory) || (isMountPoint(directory) && namesIn(directory).length === 0)) return [];
      return [{ kind: 'directory', name: hostPathOf(hostRoot, directory), act: remove }];
    },
  };
}

export function sysctlPart(record: SysctlRecord): Part {
  return {
    kind: 'sysctl',
    find: () =>
      record.changes().map((change): Found => ({
        kind: 'sysctl',
        name: change.name,
        note: `${change.present} -> ${change.original}`,
        restores: true,
        // conf/all has changed it meanwhile, perhaps to what it was.
        act: () => record.restore(change),
      })),
  };
}
