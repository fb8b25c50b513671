import { watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from '@canal/runtime-port';

/**
 * Tells of changes in the file's directory: a mounted ConfigMap is a symbolic link that is swapped, so the file itself
 * never changes. Where that cannot be watched, the resync finds the change.
 */
export function watchDirectoryOf(path: string, log: Logger, onChange: () => void, signal: AbortSignal): void {
  try {
    const watcher = watch(dirname(path), { persistent: false, signal }, onChange);
    watcher.on('error', (error) => log.debug({ path, error }, 'directory is not watched'));
  } catch (error) {
    log.debug({ path, error }, 'directory is not watched');
  }
}
