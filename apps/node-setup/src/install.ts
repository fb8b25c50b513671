/** `node-setup install`: the CNI plugin onto the host, proven there before a runtime can call it. */
import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile } from '@canal/linux-ffi';
import type { Logger } from '@canal/runtime-port';
import { hostPathOf, resolveInRoot } from './host-path.ts';
import { InstalledRecord } from './installed-record.ts';
import { type LoopbackOutcome, placeLoopback } from './place-loopback.ts';
import { type Placed, placeProgram } from './place-program.ts';
import { PROGRAM_FILES, type ProgramFiles } from './program-files.ts';
import { type HostProof, proveOnHost } from './run-on-host.ts';
import { SetupError } from './setup-error.ts';

export interface InstallOptions {
  /** Where the host's / is; `/` on the host itself. */
  readonly hostRoot: string;
  /** The runtime's directory of plugins, as the host says it. */
  readonly binDir: string;
  /** As the host says it. */
  readonly stateDir: string;
  readonly loopback: boolean;
}

export interface InstallDeps {
  readonly log: Logger;
  /** The program to install: this one. */
  readonly source: string;
  readonly files?: ProgramFiles;
  readonly prove?: (root: string, path: string) => HostProof;
}

export interface InstallReport extends Placed {
  readonly path: string;
  readonly loopback: LoopbackOutcome | 'not-wanted';
}

const LOCK_FILE = 'install.lock';

/** Throws SetupError; the plugin that was there before works on then. */
export function install(options: InstallOptions, deps: InstallDeps): InstallReport {
  const { hostRoot } = options;
  const directory = openDirectory(hostRoot, options.binDir);
  const stateDir = openDirectory(hostRoot, options.stateDir);
  // Two of them at once would take each other's half-made files away. It ends with the process.
  using _lock = lockFile(join(stateDir, LOCK_FILE));
  try {
    return installLocked(directory, stateDir, options, deps);
  } catch (error) {
    throw error instanceof SetupError ? error : filesError(directory, hostPathOf(hostRoot, directory), error);
  }
}

function installLocked(
  directory: string,
  stateDir: string,
  { hostRoot, loopback }: InstallOptions,
  { log, source, files = PROGRAM_FILES, prove = proveOnHost }: InstallDeps,
): InstallReport {
  const record = new InstalledRecord(stateDir);
  const hostDirectory = hostPathOf(hostRoot, directory);
  const [canal, lo] = [join(hostDirectory, 'canal'), join(hostDirectory, 'loopback')];
  const placed = placeProgram({
    directory,
    name: 'canal',
    source,
    files,
    prove: (path) => requireProof(prove(hostRoot, path), path, log),
    announce: (sha256) => record.announce(canal, sha256),
  });
  log.info({ path: canal, ...placed }, 'CNI plugin in place');
  const outcome = loopback
    ? placeLoopback({
        directory,
        files,
        sha256: placed.sha256,
        isOurs: (sha256) => record.knows(lo, sha256),
        announce: (sha256) => record.announce(lo, sha256),
      })
    : 'not-wanted';
  log.info({ path: lo, outcome }, 'loopback plugin');
  record.settle(canal, placed.sha256);
  if (outcome !== 'foreign' && outcome !== 'not-wanted') record.settle(lo, placed.sha256);
  return { ...placed, path: canal, loopback: outcome };
}

function requireProof(proof: HostProof, path: string, log: Logger): void {
  switch (proof.type) {
    case 'proven':
      log.info({ path }, 'the host runs it');
      return;
    case 'looked-at':
      log.warn(
        { path },
        'not run on the host, only its files were looked at: it takes CAP_SYS_CHROOT and the whole of / below the host root',
      );
      return;
    case 'fault':
      throw new SetupError('host', `${proof.fault.message}; the plugin was not installed`, proof.fault.cure);
  }
}

function openDirectory(root: string, hostPath: string): string {
  const path = resolveInRoot(root, hostPath);
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  } catch (error) {
    throw filesError(path, hostPath, error);
  }
}

function filesError(path: string, hostPath: string, error: unknown): SetupError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const text = error instanceof Error ? error.message : String(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const message = `no room for the plugin in ${hostPath}: ${freeMiB(path)}`;
    return new SetupError('files', message, 'Free at least 150 MiB there; the plugin that was there works on', error);
  }
  if (code === 'EROFS') {
    const cure = 'Set another directory: cni-bin-dir in the ConfigMap, and in the container runtime';
    return new SetupError('files', `${hostPath} is read-only`, cure, error);
  }
  return new SetupError(
    'files',
    `${hostPath}: ${text}`,
    'See that root can write there (SELinux, immutable files)',
    error,
  );
}

function freeMiB(path: string): string {
  try {
    const { bavail, bsize } = statfsSync(path);
    return `${Math.floor((bavail * bsize) / (1024 * 1024))} MiB are free`;
  } catch {
    return 'the disk is full';
  }
}
