/**
 * `loopback` for a host that has none: a second name of the plugin's own file. One that others installed is never touched;
 * ours follows each new version.
 */
import { join } from 'node:path';
import { isNoLink, newName } from './place-program.ts';
import type { ProgramFiles } from './program-files.ts';

export interface PlaceLoopback {
  readonly directory: string;
  readonly files: ProgramFiles;
  /** Of the plugin beside it, which has been placed. */
  readonly sha256: string;
  /** Whether a loopback with this hash was put here by canal. */
  readonly isOurs: (sha256: string) => boolean;
  readonly announce: (sha256: string) => void;
}

export type LoopbackOutcome = 'foreign' | 'unchanged' | 'installed' | 'replaced';

export function placeLoopback(place: PlaceLoopback): LoopbackOutcome {
  const { directory, files, sha256 } = place;
  const [plugin, loopback] = [join(directory, 'canal'), join(directory, 'loopback')];
  const [pluginStat, present] = [files.stat(plugin), files.stat(loopback)];
  if (present !== undefined && present.ino === pluginStat?.ino && present.dev === pluginStat.dev) {
    place.announce(sha256);
    return 'unchanged';
  }
  if (present !== undefined && !isOurs(place, loopback)) return 'foreign';
  if (present?.isFile() === true && files.hash(loopback) === sha256) return 'unchanged';
  place.announce(sha256);
  const fresh = newName(directory, 'loopback');
  files.unlink(fresh);
  try {
    linkOrCopy(files, plugin, fresh);
    files.rename(fresh, loopback);
  } finally {
    files.unlink(fresh);
  }
  files.syncDirectory(directory);
  return present === undefined ? 'installed' : 'replaced';
}

function isOurs({ files, isOurs: knows }: PlaceLoopback, path: string): boolean {
  return files.stat(path)?.isFile() === true && knows(files.hash(path));
}

function linkOrCopy(files: ProgramFiles, plugin: string, fresh: string): void {
  try {
    files.link(plugin, fresh);
  } catch (error) {
    if (!isNoLink(error)) throw error;
    files.copy(plugin, fresh);
  }
}
