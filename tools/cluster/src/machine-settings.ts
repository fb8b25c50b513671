/**
 * Limits of the whole machine that several clusters run into: each kubelet, containerd, kube-proxy and many a container
 * takes inotify instances, and all of root's count together. Raised while there are clusters, put back with the last.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { STATE_FOLDER } from './plan.ts';
import { clusterNames, writeWhole } from './state.ts';

const LEAST: Readonly<Record<string, number>> = {
  'fs/inotify/max_user_instances': 8192,
  'fs/inotify/max_user_watches': 524_288,
};

const RECORD = join(STATE_FOLDER, '.settings.json');

export function raiseLimits(): void {
  const before = { ...recorded() };
  for (const [setting, least] of Object.entries(LEAST)) {
    const current = read(setting);
    if (current < least) before[setting] ??= current;
  }
  writeWhole(RECORD, JSON.stringify(before));
  for (const setting of Object.keys(before))
    if (read(setting) < (LEAST[setting] ?? 0)) write(setting, LEAST[setting] ?? 0);
}

/** Puts back what was raised, unless somebody has set it to something else meanwhile. */
export function restoreLimits(): void {
  if (clusterNames().length > 0) return;
  for (const [setting, before] of Object.entries(recorded()))
    if (read(setting) === LEAST[setting]) write(setting, before);
  rmSync(RECORD, { force: true });
}

function recorded(): Record<string, number> {
  return existsSync(RECORD) ? (JSON.parse(readFileSync(RECORD, 'utf8')) as Record<string, number>) : {};
}

function read(setting: string): number {
  return Number(readFileSync(`/proc/sys/${setting}`, 'utf8'));
}

function write(setting: string, value: number): void {
  writeFileSync(`/proc/sys/${setting}`, String(value));
}
