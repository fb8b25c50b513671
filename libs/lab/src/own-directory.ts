/**
 * Labs are made and removed by root, in directories that only root changes: a link or a file of somebody else's in them
 * would lead root elsewhere.
 */
import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { unlessMissing } from './json-file.ts';
import { LabError } from './lab-error.ts';
import type { LabPaths } from './lab-paths.ts';

const WRITABLE_BY_OTHERS = 0o022;
/** In a sticky directory nobody renames or removes what is another's. */
const STICKY = 0o1000;

/** What is not there is well. Throws LabError `exists` for the lab's directory, or that of all labs. */
export function checkOwnDirectory(paths: LabPaths): void {
  for (const path of [dirname(paths.root), paths.root]) {
    const stats = unlessMissing(() => lstatSync(path));
    if (stats === undefined) continue;
    const open = (stats.mode & WRITABLE_BY_OTHERS) !== 0 && (stats.mode & STICKY) === 0;
    const isOwn = stats.uid === 0 || stats.uid === process.geteuid?.();
    if (stats.isDirectory() && isOwn && !open) continue;
    throw new LabError('exists', `${path} is there, and is no directory that root alone can change`, {
      hint: 'look who made it (ls -ld), and remove it if nobody needs it',
    });
  }
}
