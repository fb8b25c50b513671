/**
 * Puts a program in the place of an older one without a moment in which neither works:
 *
 *     .canal.new   the new one: copied, synced, proven under this name
 *     .canal.old   a second name for the old one, from before the rename until the new one is proven in its place
 *     canal        the old one or the new one, by rename(2)
 *
 * Whoever dies on the way leaves one of both under `canal`. The next install looks at `.canal.old`: if what is in its
 * place works, it goes, else it comes back.
 */
import { join } from 'node:path';
import { PROGRAM_MODE, type ProgramFiles } from './program-files.ts';

export interface PlaceProgram {
  /** A lock is held on it: nobody else places programs there. */
  readonly directory: string;
  readonly name: string;
  readonly source: string;
  readonly files: ProgramFiles;
  /** Throws when the host cannot run what is at this path. */
  readonly prove: (path: string) => void;
  /** Told before the file gets its place. */
  readonly announce: (sha256: string) => void;
}

export interface Placed {
  readonly outcome: 'unchanged' | 'installed' | 'replaced';
  readonly sha256: string;
  /** The program of a former install that died came back, or went. */
  readonly recovered?: 'restored' | 'discarded';
}

/** Throws what `prove` throws, or the file system; what was in the place is there again then, or still. */
export function placeProgram(place: PlaceProgram): Placed {
  const { directory, name, source, files, prove } = place;
  const [target, fresh, old] = [join(directory, name), newName(directory, name), oldName(directory, name)];
  const recovered = recover(place, target, old);
  const sha256 = files.hash(source);
  const isSame = files.stat(target)?.isFile() === true && files.hash(target) === sha256;
  if (isSame) {
    fixMode(place, target);
    place.announce(sha256);
    prove(target);
    files.unlink(fresh);
    return { outcome: 'unchanged', sha256, ...recovered };
  }
  // Of an install that died; the lock says that nobody is writing it.
  files.unlink(fresh);
  try {
    files.copy(source, fresh);
    prove(fresh);
  } catch (error) {
    files.unlink(fresh);
    throw error;
  }
  place.announce(sha256);
  const hasOld = files.stat(target) !== undefined;
  const isKept = hasOld && keepOld(files, target, old);
  files.rename(fresh, target);
  files.syncDirectory(directory);
  try {
    prove(target);
  } catch (error) {
    if (isKept) files.rename(old, target);
    else files.unlink(target);
    files.syncDirectory(directory);
    throw error;
  }
  if (isKept) files.unlink(old);
  files.syncDirectory(directory);
  return { outcome: hasOld ? 'replaced' : 'installed', sha256, ...recovered };
}

export const newName = (directory: string, name: string): string => join(directory, `.${name}.new`);
export const oldName = (directory: string, name: string): string => join(directory, `.${name}.old`);

function recover(
  { files, prove, directory }: PlaceProgram,
  target: string,
  old: string,
): Pick<Placed, 'recovered'> | undefined {
  if (files.stat(old) === undefined) return undefined;
  if (works(prove, target, files)) {
    files.unlink(old);
    return { recovered: 'discarded' };
  }
  files.rename(old, target);
  // Two names of one file (it died before the rename) stay two: rename(2) then does nothing.
  files.unlink(old);
  files.syncDirectory(directory);
  return { recovered: 'restored' };
}

function works(prove: (path: string) => void, path: string, files: ProgramFiles): boolean {
  if (files.stat(path) === undefined) return false;
  try {
    prove(path);
    return true;
  } catch {
    return false;
  }
}

/** False on a file system without hard links: then there is nothing to go back to but the rename's own atomicity. */
function keepOld(files: ProgramFiles, target: string, old: string): boolean {
  try {
    files.link(target, old);
    return true;
  } catch (error) {
    if (isNoLink(error)) return false;
    throw error;
  }
}

/** What link(2) says where files can have one name only, or no more names. */
export function isNoLink(error: unknown): boolean {
  const codes: readonly unknown[] = ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'EXDEV', 'ENOSYS'];
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}

function fixMode({ files }: PlaceProgram, target: string): void {
  const stat = files.stat(target);
  if (stat === undefined || ((stat.mode & 0o7777) === PROGRAM_MODE && stat.uid === 0 && stat.gid === 0)) return;
  files.setMode(target);
}
