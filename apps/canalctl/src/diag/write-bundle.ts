/** The bundle on the disk: for its owner alone, and over nothing that was there. What is half written goes again. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AdminApiError, type Diagnosis } from '@canal/admin-client';
import { EXIT } from '../exit-code.ts';
import { CommandError, UsageError } from '../report-error.ts';

const [FILE_MODE, DIRECTORY_MODE] = [0o600, 0o700];
const MISSING = 'missing.json';

/** Throws CommandError. */
export function refuseExisting(path: string): void {
  if (existsSync(path)) throw thereAlready(path);
  if (!existsSync(dirname(path))) {
    throw new UsageError(`${dirname(path)} is not there`, 'make that directory first, or name a path in another');
  }
}

/** Throws CommandError. */
export function writeFile(path: string, text: string): void {
  // "x" makes it, and follows no link that somebody put there meanwhile.
  orRefuse(path, () => writeFileSync(path, '', { flag: 'wx', mode: FILE_MODE }));
  orRemove(path, () => writeFileSync(path, text));
}

/** A file for each part; `missing.json` when something is. Throws CommandError, and AdminApiError for parts that would be elsewhere. */
export function writeDirectory(path: string, { entries, missing }: Diagnosis): void {
  for (const entry of entries) {
    if (isPathInside(entry.path)) continue;
    throw new AdminApiError('broken', `the bundle names a file ${JSON.stringify(entry.path)}: nothing was written`);
  }
  orRefuse(path, () => mkdirSync(path, { mode: DIRECTORY_MODE }));
  orRemove(path, () => {
    const write = (name: string, text: string): void => {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true, mode: DIRECTORY_MODE });
      writeFileSync(file, text, { flag: 'wx', mode: FILE_MODE });
    };
    for (const { path: name, content } of entries) write(name, content);
    if (missing.length > 0) write(MISSING, `${JSON.stringify(missing, null, 1)}\n`);
  });
}

/** Names of nodes are in it, and the server made it. */
function isPathInside(path: string): boolean {
  return (
    path.length <= 1_000 &&
    path !== MISSING &&
    path.split('/').every((part) => /^[A-Za-z0-9._-]{1,255}$/.test(part) && !/^\.+$/.test(part))
  );
}

function orRefuse(path: string, make: () => void): void {
  try {
    make();
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    if (code === 'EEXIST') throw thereAlready(path);
    throw new UsageError(`${path} cannot be made: ${String(code)}`, 'name another file or directory');
  }
}

function thereAlready(path: string): CommandError {
  return new CommandError(`${path} is there already`, 'name another: nothing is written over', EXIT.exists);
}

function orRemove(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    throw error;
  }
}
