/** Commands of this machine, run with a time limit. */
import { spawn } from 'node:child_process';
import type { CommandOptions, CommandResult } from './world.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const SHOWN_CHARACTERS = 2_000;

/** A command that ended with another status than 0, or not in time. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly result: CommandResult;

  constructor(command: readonly string[], outcome: string, result: CommandResult) {
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-SHOWN_CHARACTERS);
    super(`${command.join(' ')}: ${outcome}${said === '' ? '' : `: ${said}`}`);
    this.result = result;
  }
}

export interface RunOptions extends CommandOptions {
  /** The whole environment. Default: this process's. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program without a shell. Throws a CommandError on failure unless `allowFailure`, on a timeout always. */
export async function runCommand(command: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const [program = '', ...args] = command;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: options.env ?? process.env });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A command that does not read its input closes it; that is its business.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const limit = AbortSignal.timeout(timeoutMs);
  limit.addEventListener('abort', () => child.kill('SIGKILL'));
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15));
    });
  });
  const result = { status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
  if (limit.aborted) throw new CommandError(command, `not done within ${timeoutMs / 1000} s`, result);
  if (status !== 0 && options.allowFailure !== true) throw new CommandError(command, `exit status ${status}`, result);
  return result;
}
