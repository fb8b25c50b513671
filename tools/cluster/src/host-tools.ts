/** Programs of the machine that a cluster needs beside those that are built: found, or named with the command that helps. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import tools from '../host-tools.json' with { type: 'json' };
import { ClusterError } from './failure.ts';
import { SYSTEM_PATH } from './process.ts';

/** Throws `host` with all that is missing. */
export function checkHost(): void {
  if (process.platform !== 'linux')
    throw new ClusterError('host', `a cluster needs Linux, this is ${process.platform}`);
  if (process.getuid?.() !== 0)
    throw new ClusterError('host', 'a cluster makes namespaces and mounts and needs root: run it with sudo');
  const missing = Object.entries(tools).filter(
    ([tool]) => !SYSTEM_PATH.split(':').some((folder) => existsSync(join(folder, tool))),
  );
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, debian]) => debian))].join(' ');
  const names = missing.map(([tool]) => tool).join(', ');
  throw new ClusterError('host', `this machine lacks ${names}: run "apt-get install -y ${packages}"`);
}
