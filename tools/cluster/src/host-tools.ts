/** Programs of the machine that a cluster needs beside those that are built: found, or named with the command that helps. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseElf } from '@canal/image';

import tools from '../host-tools.json' with { type: 'json' };
import { ClusterError } from './failure.ts';
import { SYSTEM_PATH } from './process.ts';

const FOLDERS = SYSTEM_PATH.split(':');

/** Path of the busybox that is all there is in the image `pause`. Throws `host` when there is none that needs no library. */
export function staticBusybox(folders: readonly string[] = FOLDERS): string {
  const found = folders.map((folder) => join(folder, 'busybox')).filter((path) => existsSync(path));
  const usable = found.find((path) => parseElf(readFileSync(path)).interpreter === undefined);
  if (usable !== undefined) return usable;
  const [path] = found;
  const wrong = path === undefined ? 'this machine lacks busybox' : `${path} needs libraries that the image has not`;
  throw new ClusterError('host', `${wrong}: run "apt-get install -y busybox-static"`);
}

/** Throws `host` with all that is missing. */
export function checkHost(): void {
  if (process.platform !== 'linux')
    throw new ClusterError('host', `a cluster needs Linux, this is ${process.platform}`);
  if (process.getuid?.() !== 0)
    throw new ClusterError('host', 'a cluster makes namespaces and mounts and needs root: run it with sudo');
  const missing = Object.entries(tools).filter(([tool]) => !FOLDERS.some((folder) => existsSync(join(folder, tool))));
  if (missing.length === 0) {
    staticBusybox();
    return;
  }
  const packages = [...new Set(missing.map(([, debian]) => debian))].join(' ');
  const names = missing.map(([tool]) => tool).join(', ');
  throw new ClusterError('host', `this machine lacks ${names}: run "apt-get install -y ${packages}"`);
}
