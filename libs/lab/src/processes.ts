/**
 * The lab's processes outlive the command that starts them. They are recognised by a variable in their environment that
 * holds the lab's id (128 random bits): nothing that a command may die before writing is needed to find them again, and
 * no process without it is ever signalled.
 */
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { inNamespace } from './namespaces.ts';
import { environHolds, parseProcStat, type ProcessIdentity, type ProcStat } from './proc-stat.ts';
import { waitFor } from './wait.ts';

export const LAB_ID_VARIABLE = 'CANAL_LAB_ID';
export const LAB_ROLE_VARIABLE = 'CANAL_LAB_ROLE';

export interface LabProcess extends ProcessIdentity {
  /** `api-server`, `flanneld/node1`; `exec` and the like for what users start. */
  readonly role: string;
  readonly residentBytes: number;
}

export interface StartOptions {
  readonly labId: string;
  readonly role: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Name of the network namespace; absent: the caller's own. */
  readonly namespace?: string;
  readonly logPath: string;
}

/** Starts a process in a session of its own, so that neither the caller's exit nor its terminal ends it. */
export function startProcess(options: StartOptions): ProcessIdentity {
  const log = openSync(options.logPath, 'a', 0o600);
  try {
    const start = (): Bun.Subprocess =>
      Bun.spawn([...options.argv], {
        cwd: '/',
        env: labEnvironment(options.labId, options.role, options.env),
        stdio: ['ignore', log, log],
        detached: true,
      });
    const child = options.namespace === undefined ? start() : inNamespace(options.namespace, start);
    child.unref();
    const stat = readStat(child.pid);
    return { pid: child.pid, startTicks: stat?.startTicks ?? 0 };
  } finally {
    closeSync(log);
  }
}

/**
 * The environment of everything the lab starts: built from nothing. What the runtime would obey (BUN_OPTIONS,
 * BUN_BE_BUN) or a CNI runtime would set is the caller's, not the lab's, and stays out.
 */
export function labEnvironment(
  labId: string,
  role: string,
  extra: Readonly<Record<string, string>>,
): Record<string, string> {
  return { PATH: TRUSTED_PATH, ...extra, [LAB_ID_VARIABLE]: labId, [LAB_ROLE_VARIABLE]: role };
}

const TRUSTED_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Every living process of the lab. */
export function findProcesses(labId: string): readonly LabProcess[] {
  return livingPids().flatMap((pid) => {
    const environ = readProc(pid, 'environ');
    if (environ === undefined || !environHolds(environ, LAB_ID_VARIABLE, labId)) return [];
    const stat = readStat(pid);
    if (stat === undefined || isDead(stat)) return [];
    const role = new RegExp(`(?:^|\\0)${LAB_ROLE_VARIABLE}=([^\\0]*)\\0`).exec(environ)?.[1] ?? 'unknown';
    return [{ pid, startTicks: stat.startTicks, role, residentBytes: stat.residentPages * PAGE_BYTES }];
  });
}

/** Whether it was started by a lab, whichever. */
export function isOfSomeLab(pid: number): boolean {
  return new RegExp(`(?:^|\\0)${LAB_ID_VARIABLE}=[0-9a-f]{32}\\0`).test(readProc(pid, 'environ') ?? '');
}

/** x86-64 and the usual arm64; a figure for people. */
const PAGE_BYTES = 4096;

export function livingPids(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^[1-9][0-9]*$/.test(name))
    .map(Number);
}

export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  return stat !== undefined && stat.startTicks === identity.startTicks && !isDead(stat);
}

/** A leader that has ended while others of its threads run on: they still have its files, ports and locks. */
function isDead({ pid, state }: ProcStat): boolean {
  return (state === 'Z' || state === 'X') && threadCount(pid) <= 1;
}

function threadCount(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

function readStat(pid: number): ProcStat | undefined {
  const text = readProc(pid, 'stat');
  return text === undefined ? undefined : parseProcStat(text);
}

/** Undefined when the process is gone. */
function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return undefined;
  }
}

/** The longest the kernel may take to bring a killed process down: it may be writing out a core or a large map. */
const DEATH_TIMEOUT_MS = 10_000;

/**
 * Ends the processes at once (SIGKILL) and waits until they are gone, so that what they held can be taken away. The
 * identity is looked at right before: the kernel hands a pid out again only after all others, never within that time.
 */
export async function killProcesses(processes: readonly ProcessIdentity[]): Promise<void> {
  for (const one of processes) {
    if (!isAlive(one)) continue;
    try {
      process.kill(one.pid, 'SIGKILL');
    } catch {
      // It has ended by itself in between.
    }
  }
  const living = (): true | undefined => (processes.some(isAlive) ? undefined : true);
  await waitFor('the end of killed processes', { timeoutMs: DEATH_TIMEOUT_MS, intervalMs: 2 }, living);
}
