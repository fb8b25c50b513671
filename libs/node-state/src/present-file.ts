/** Reads that take "not there" for an answer: another process may create or delete these files at any moment. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { errnoOf, ioError } from './node-state-error.ts';

/** The file's text, undefined when there is none. Throws NodeStateError `io` otherwise. */
export function readIfPresent(path: string): string | undefined {
  // Absence is the usual case of an ADD; an exception for it would cost twenty times the look.
  if (!existsSync(path)) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw ioError(path, 'read', error);
  }
}

/** The names in a directory, sorted; none when it is not there or no directory. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return [];
    throw ioError(directory, 'list', error);
  }
}
