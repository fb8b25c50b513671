import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** A program that runs until it is stopped, and dies with us whatever becomes of us. Its output goes to a file. */
export interface RunningProgram {
  readonly name: string;
  /** True until it ended by itself or was stopped. */
  readonly running: boolean;
  /** The last lines that it wrote. */
  output(): string;
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export function startProgram(name: string, argv: readonly string[], logPath: string): RunningProgram {
  const log = openSync(logPath, 'a');
  // The kernel ends the program when this process dies, even by SIGKILL.
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    child.on('error', () => resolve());
  });
  const state = { running: true };
  void ended.then(() => {
    state.running = false;
  });
  return {
    name,
    get running() {
      return state.running;
    },
    output: () => readFileSync(logPath, 'utf8').split('\n').slice(-LAST_LINES).join('\n'),
    stop: async (signal) => {
      child.kill(signal);
      await ended;
    },
  };
}

const LAST_LINES = 30;
