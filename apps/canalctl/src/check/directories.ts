/** Directories that canal writes to: whether they can be written to, hold programs, and have room. Nothing is written. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mountOptionsOf } from '@canal/linux-ffi';
import { type Observation, ok, trouble } from './observation.ts';

interface Use {
  readonly path: string;
  /** Programs are started from there. */
  readonly runs: boolean;
  /** What it must hold, and what is comfortable. */
  readonly needBytes: number;
  readonly wantBytes: number;
}

const MIB = 1024 * 1024;

const USES: readonly Use[] = [
  // The plugin, twice while it is replaced.
  { path: '/opt/cni/bin', runs: true, needBytes: 300 * MIB, wantBytes: 600 * MIB },
  { path: '/etc/cni/net.d', runs: false, needBytes: 1 * MIB, wantBytes: 16 * MIB },
  { path: '/run', runs: false, needBytes: 4 * MIB, wantBytes: 32 * MIB },
  { path: '/var/lib', runs: false, needBytes: 16 * MIB, wantBytes: 256 * MIB },
];

export interface DirectoryFacts {
  readonly exists: boolean;
  /** errno name of what forbids writing. */
  readonly refusal: string | undefined;
  readonly noexec: boolean;
  readonly freeBytes: number;
}

export function checkDirectories(root: string): readonly Observation[] {
  return USES.flatMap((use) => judgeDirectory(use, readDirectory(root, use.path)));
}

function readDirectory(root: string, path: string): DirectoryFacts {
  const full = join(root, path);
  // One that is not there is made in the nearest that is.
  let there = full;
  while (!existsSync(there) && there !== '/') there = dirname(there);
  const { bavail, bsize } = statfsSync(there);
  const options = mountOptionsOf(readFileSync('/proc/self/mountinfo', 'utf8'), there);
  return {
    exists: there === full,
    refusal: refusalOf(there),
    noexec: options?.has('noexec') === true,
    freeBytes: bavail * bsize,
  };
}

function refusalOf(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return String(error instanceof Error && 'code' in error ? error.code : error);
  }
}

export function judgeDirectory(
  use: Use,
  { exists, refusal, noexec, freeBytes }: DirectoryFacts,
): readonly Observation[] {
  const [id, what] = [`directory${use.path.replaceAll('/', '-')}`, use.path];
  const free = `${Math.floor(freeBytes / MIB)} MiB free`;
  const found = exists ? free : `not there yet, ${free}`;
  if (refusal !== undefined) {
    const next =
      refusal === 'EROFS'
        ? `mount a file system there that can be written to, or set another directory in the ConfigMap canal-config`
        : 'allow root to write there';
    return [trouble('fail', { id, what, found: `cannot be written to (${refusal})` }, 'canal puts files there', next)];
  }
  if (use.runs && noexec) {
    const next = 'mount it without noexec, or set cni-bin-dir in the ConfigMap and the same in the container runtime';
    return [trouble('fail', { id, what, found: 'mounted noexec' }, 'no plugin can be started from there', next)];
  }
  if (freeBytes < use.needBytes) {
    return [trouble('fail', { id, what, found }, `${use.needBytes / MIB} MiB are needed`, 'free space on that disk')];
  }
  if (freeBytes < use.wantBytes) {
    return [trouble('warn', { id, what, found }, 'that is little', 'free space on that disk')];
  }
  return [ok(id, what, found)];
}
