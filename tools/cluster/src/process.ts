/** Programs of the machine: run to the end, started for good, looked up in /proc. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';

import { ClusterError } from './failure.ts';

/** Every process of a cluster carries this variable with the cluster's random id; `down` finds them by it. */
export const MARK = 'CANAL_CLUSTER_ID';

export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Environment of a program of the cluster: nothing of the caller's. */
export function cleanEnvironment(id: string, folders: readonly string[] = []): Record<string, string> {
  return { PATH: [...folders, SYSTEM_PATH].join(':'), HOME: '/root', LANG: 'C.UTF-8', [MARK]: id };
}

export interface ExecuteOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Ends the program after so many milliseconds. Default 60,000. */
  readonly timeout?: number;
}

export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; gives status and output whatever the status is. */
export function attempt(command: string, args: readonly string[], options: ExecuteOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...(options.env ?? process.env) },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const limit = options.timeout ?? 60_000;
    const timer = setTimeout(() => {
      stderr.push(Buffer.from(`ended after ${limit} ms\n`));
      child.kill('SIGKILL');
      // Programs that it has started may keep these open for good.
      child.stdout.destroy();
      child.stderr.destroy();
    }, limit);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new ClusterError('host', `cannot run ${command}: ${cause.message}`, { cause }));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        status: exitStatus(code, signal),
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

/** What a shell calls the status of a program: its own, or 128 and the number of the signal that ended it. */
export function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Runs a program that must succeed; gives its output. Throws `failed` with the command and what it said. */
export async function execute(command: string, args: readonly string[], options: ExecuteOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await attempt(command, args, options);
  if (status === 0) return stdout;
  const text = [command, ...args].join(' ');
  throw new ClusterError('failed', `"${text}" ended with ${status}: ${(stderr || stdout).trim()}`);
}

/** Runs lines of shell; the first that fails ends them. */
export async function shell(script: string, options: ExecuteOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await attempt('/bin/sh', ['-e', '-s'], { ...options, input: script });
  if (status === 0) return stdout;
  throw new ClusterError('failed', `a shell script ended with ${status}: ${stderr.trim()}\n${script}`);
}

/** A started process, told from a later one of the same number by its start time (clock ticks since boot). */
export interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

export interface DaemonOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly log: string;
  /** `cgroup.procs` files that the process joins before it becomes the program. */
  readonly cgroups: readonly string[];
}

/** Starts a program in a session of its own, its output appended to a log; it outlives this process. */
export function startDaemon(options: DaemonOptions): ProcessId {
  mkdirSync(dirname(options.log), { recursive: true });
  const log = openSync(options.log, 'a');
  try {
    const join = options.cgroups.map((file) => `echo $$ > '${file}'`).join('; ');
    const child = spawn('/bin/sh', ['-ec', `${join}${join === '' ? '' : '; '}exec "$@"`, 'sh', ...options.argv], {
      cwd: '/',
      env: { ...options.env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    child.unref();
    if (child.pid === undefined) throw new ClusterError('failed', `cannot start ${options.argv.join(' ')}`);
    return { pid: child.pid, started: startTime(child.pid) ?? '' };
  } finally {
    closeSync(log);
  }
}

/** True while this very process runs (a zombie does not). */
export function isAlive(id: ProcessId): boolean {
  return startTime(id.pid) === id.started && id.started !== '';
}

/** Field 22 of /proc/PID/stat, or undefined when there is no such process or only its zombie. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** The children of a process that run. */
export function childrenOf(pid: number): readonly ProcessId[] {
  try {
    return identify(
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** Those of the processes that run. */
export function identify(pids: readonly number[]): readonly ProcessId[] {
  return pids.flatMap((pid) => {
    const started = startTime(pid);
    return started === undefined ? [] : [{ pid, started }];
  });
}

/** First 15 letters of the program's name, or undefined when there is no such process. */
export function programOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Numbers of all processes for which the question is answered with yes; those that vanish meanwhile are not in it. */
export function processesWhere(matches: (pid: number) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return matches(pid);
      } catch {
        return false;
      }
    });
}

export function hasMark(pid: number, id: string): boolean {
  return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${MARK}=${id}`);
}

/** `net:[4026532008]` of a process. */
export function networkOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}

/** Processes that outlive SIGKILL by so many milliseconds hang in the kernel. */
const KILL_LIMIT = 30_000;

/**
 * Ends processes with SIGTERM, after `grace` milliseconds with SIGKILL; back when all are gone. Throws `failed` when the
 * kernel does not let them go.
 */
export async function endProcesses(ids: readonly ProcessId[], grace: number, limit = KILL_LIMIT): Promise<void> {
  const alive = (): readonly ProcessId[] => ids.filter((id) => isAlive(id));
  signal(alive(), 'SIGTERM');
  const deadline = Date.now() + grace;
  while (alive().length > 0 && Date.now() < deadline) await Bun.sleep(20);
  const last = Date.now() + limit;
  for (let left = alive(); left.length > 0; left = alive()) {
    if (Date.now() > last) {
      const list = left.map(({ pid }) => `${pid} (${programOf(pid) ?? 'gone'})`).join(', ');
      throw new ClusterError(
        'failed',
        `processes ${list} do not end ${limit / 1000} s after SIGKILL: see what they wait for in /proc/PID/stack, then try again`,
      );
    }
    signal(left, 'SIGKILL');
    await Bun.sleep(20);
  }
}

function signal(ids: readonly ProcessId[], name: 'SIGTERM' | 'SIGKILL'): void {
  for (const { pid } of ids) {
    try {
      process.kill(pid, name);
    } catch {
      // Gone already.
    }
  }
}
