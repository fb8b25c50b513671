/**
 * Folders of the machine that nodes mount their own over. Those that were not there are made and noted; they go with the
 * last cluster, because removing a folder takes away what any other namespace has mounted over it.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { PRIVATE_FOLDERS } from './node-init.ts';
import { STATE_FOLDER } from './plan.ts';
import { clusterNames, writeWhole } from './state.ts';

const RECORD = join(STATE_FOLDER, '.mount-points');

export function addMountPoints(): void {
  const made = new Set(recorded());
  for (const folder of PRIVATE_FOLDERS)
    for (let path = `/${folder}`; !existsSync(path); path = dirname(path)) made.add(path);
  writeWhole(RECORD, [...made].sort().join('\n'));
  for (const folder of PRIVATE_FOLDERS) mkdirSync(`/${folder}`, { recursive: true });
}

export function removeMountPoints(): void {
  if (clusterNames().length > 0) return;
  // Children before parents.
  for (const path of recorded().sort().reverse()) {
    try {
      rmdirSync(path);
    } catch {
      // Somebody uses it by now.
    }
  }
  rmSync(RECORD, { force: true });
}

function recorded(): string[] {
  return existsSync(RECORD)
    ? readFileSync(RECORD, 'utf8')
        .split('\n')
        .filter((path) => path !== '')
    : [];
}
