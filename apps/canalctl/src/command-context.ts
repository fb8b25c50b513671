import { type ExitCode } from './exit-code.ts';
import { type Terminal } from './terminal.ts';

/** What a command gets besides its arguments. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Aborts on SIGINT and SIGTERM: a command undoes what it half did. */
  readonly signal: AbortSignal;
  /** Set by commands that end well but have bad news, or pass on another program's code. */
  readonly outcome: Outcome;
}

export interface Outcome {
  exitCode: number;
  /** Of a failure that no other code fits: `failed` when absent, which means something else to some commands. */
  failure?: ExitCode;
}
