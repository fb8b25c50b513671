import { watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from '@canal/runtime-port';
import { TEMPORARY_PREFIX } from './atomic-file.ts';

/** The runtime passes over events that follow another within two milliseconds (seen on Bun 1.4.5). */
const SETTLED_MS = 50;

/**
 * Tells of changes in the file's directory, and again when they have settled: a mounted ConfigMap is a symbolic link that
 * is swapped, so the file itself never changes. Temporary files of our own writes tell nothing: a write that fails would
 * otherwise ask for the next at once. Where the directory cannot be watched, the resync finds the change.
 */
export function watchDirectoryOf(path: string, log: Logger, onChange: () => void, signal: AbortSignal): void {
  const unwatched = (error: unknown): void => {
    // The watcher ends with the signal's reason as its error.
    if (signal.aborted) return;
    log.warn({ path, error, cure: CURE }, 'directory is not watched: changes are seen at the next resync');
  };
  let settled: NodeJS.Timeout | undefined;
  signal.addEventListener('abort', () => clearTimeout(settled), { once: true });
  try {
    const watcher = watch(dirname(path), { persistent: false, signal }, (_event, name) => {
      if (name?.startsWith(TEMPORARY_PREFIX) === true) return;
      onChange();
      clearTimeout(settled);
      settled = setTimeout(onChange, SETTLED_MS).unref();
    });
    watcher.on('error', unwatched);
  } catch (error) {
    unwatched(error);
  }
}

const CURE = 'EMFILE: raise the sysctl fs.inotify.max_user_instances; ENOENT: make the directory';
