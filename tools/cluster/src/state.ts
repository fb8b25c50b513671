/** What the tool remembers of a cluster: one JSON file, written whole and renamed, before anything else is made. */
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { ClusterError } from './failure.ts';
import type { Shape } from './plan.ts';
import { STATE_FOLDER, folders } from './plan.ts';
import type { ProcessId } from './process.ts';

export interface NodeState {
  readonly index: number;
  readonly name: string;
}

export interface ClusterState {
  readonly name: string;
  /** Random; in the environment of every process of the cluster. */
  readonly id: string;
  readonly shape: Shape;
  readonly kubernetesVersion: string;
  /** Number of the cluster on this machine: third byte of its underlay. */
  readonly underlay: number;
  readonly nodes: readonly NodeState[];
  /** `starting` until `up` is through; a cluster that stays so was cut off. */
  readonly phase: 'starting' | 'up';
  /** The process that brings it up, while it does. */
  readonly starter?: ProcessId;
}

export function readState(name: string): ClusterState | undefined {
  const file = folders(name).state;
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')) as ClusterState;
}

export function writeState(state: ClusterState): void {
  writeWhole(folders(state.name).state, `${JSON.stringify(state, null, 2)}\n`);
}

/** Writes a file so that a reader sees all of it or the one before. */
export function writeWhole(file: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true });
  const partial = `${file}.partial`;
  writeFileSync(partial, text, { mode });
  renameSync(partial, file);
}

/** Names of all clusters that have a folder, whole or half made. */
export function clusterNames(): readonly string[] {
  if (!existsSync(STATE_FOLDER)) return [];
  return readdirSync(STATE_FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name);
}

const CLAIM = /^\.underlay-(\d+)$/;

/** Takes the lowest free number for a cluster; the one it has already, if any. */
export function claimUnderlay(name: string, inUse: (number: number) => boolean): number {
  mkdirSync(STATE_FOLDER, { recursive: true });
  const mine = claims().find((claim) => claim.owner === name);
  if (mine !== undefined) return mine.number;
  const text = draftFile(name);
  writeFileSync(text, name);
  try {
    for (let number = 1; number <= 250; number++) {
      if (inUse(number)) continue;
      try {
        linkSync(text, claimFile(number));
        return number;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  } finally {
    rmSync(text, { force: true });
  }
  throw new ClusterError(
    'failed',
    `the underlay networks 172.30.1.0/24 … 172.30.250.0/24 are all taken, by clusters ("npm run cluster -- list") or by ` +
      `routes of this machine ("ip route"): free one`,
  );
}

export function claimedUnderlays(name: string): readonly number[] {
  return claims()
    .filter(({ owner }) => owner === name)
    .map(({ number }) => number);
}

export function releaseUnderlays(name: string): void {
  for (const number of claimedUnderlays(name)) rmSync(claimFile(number), { force: true });
  rmSync(draftFile(name), { force: true });
}

/** What a claim is linked from, so that a claim has its owner's name from the start. */
function draftFile(name: string): string {
  return join(STATE_FOLDER, `.claim-${name}`);
}

function claimFile(number: number): string {
  return join(STATE_FOLDER, `.underlay-${number}`);
}

function claims(): { number: number; owner: string }[] {
  if (!existsSync(STATE_FOLDER)) return [];
  return readdirSync(STATE_FOLDER).flatMap((file) => {
    const number = CLAIM.exec(file)?.[1];
    return number === undefined
      ? []
      : [{ number: Number(number), owner: readFileSync(join(STATE_FOLDER, file), 'utf8') }];
  });
}
